#include <functional>
#include <utility>

#include <aprotic/engine/core/link_endpoint.hpp>
#include <aprotic/engine/core/link_names.hpp>

namespace aprotic::engine::core {

std::size_t LinkNames::home(codec::Role role, std::string_view name) const noexcept {
    return (std::hash<std::string_view>()(name) ^ static_cast<std::size_t>(role)) & mask();
}

std::size_t LinkNames::home(const LinkEndpoint& link) const noexcept { return home(link.role(), link.name()); }

std::size_t LinkNames::place_of(codec::Role role, std::string_view name) const noexcept {
    std::size_t at = home(role, name);
    while (places_[at] != nullptr && (places_[at]->role() != role || places_[at]->name() != name))
        at = (at + 1) & mask();
    return at;
}

LinkEndpoint* LinkNames::find(codec::Role our_role, std::string_view name) const {
    return places_.empty() ? nullptr : places_[place_of(our_role, name)];
}

void LinkNames::insert(LinkEndpoint& link) {
    if ((size_ + 1) * 4 > places_.size() * 3) grow();
    LinkEndpoint*& place = places_[place_of(link.role(), link.name())];
    if (place == nullptr) ++size_;
    place = &link;
}

void LinkNames::erase(LinkEndpoint& link) {
    if (find(link.role(), link.name()) != &link) return;
    std::size_t gap = place_of(link.role(), link.name());
    places_[gap] = nullptr;
    --size_;
    // Whoever stands behind the gap and would rather stand in it does.
    for (std::size_t at = (gap + 1) & mask(); places_[at] != nullptr; at = (at + 1) & mask()) {
        const std::size_t from_home = (at - home(*places_[at])) & mask();
        if (from_home < ((at - gap) & mask())) continue;
        places_[gap] = std::exchange(places_[at], nullptr);
        gap = at;
    }
}

void LinkNames::grow() {
    std::vector<LinkEndpoint*> smaller(places_.empty() ? 4 : 2 * places_.size());
    smaller.swap(places_);
    for (LinkEndpoint* const link : smaller) {
        if (link != nullptr) places_[place_of(link->role(), link->name())] = link;
    }
}

}  // namespace aprotic::engine::core
