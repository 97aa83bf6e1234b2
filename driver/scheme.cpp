#include <aprotic/driver/scheme.hpp>

#include <algorithm>
#include <utility>

#include <aprotic/engine/container.hpp>

namespace aprotic::driver {

Schemes::Schemes() {
    schemes_.push_back({.name = "amqp"});
    schemes_.push_back({.name = "amqps", .port = 5671, .tls = true});
}

void Schemes::add(Scheme scheme) {
    const auto same = std::ranges::find(schemes_, scheme.name, &Scheme::name);
    if (same == schemes_.end())
        schemes_.push_back(std::move(scheme));
    else
        *same = std::move(scheme);
}

const Scheme* Schemes::find(std::string_view name) const noexcept {
    for (const auto whole : {name, name.substr(0, name.find('+'))})
        if (const auto at = std::ranges::find(schemes_, whole, &Scheme::name); at != schemes_.end()) return &*at;
    return nullptr;
}

std::string Schemes::expected() const {
    std::string names;
    for (const auto& scheme : schemes_) names += (names.empty() ? "" : ", ") + scheme.name + "://";
    return names + " or embedded:";
}

}  // namespace aprotic::driver
