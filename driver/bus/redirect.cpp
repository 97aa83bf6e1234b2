#include <aprotic/driver/bus/redirect.hpp>

#include <algorithm>

#include <fmt/core.h>

namespace aprotic::driver::bus {
namespace {

/// Untrusted: what is no plain text is left out, and so is what is longer than a name.
std::string info_text(const codec::Map& info, const char* key) {
    const codec::Value* const value = info.find(key);
    if (value == nullptr) return {};
    if (const auto number = value->to_int64()) return fmt::format("{}", *number);
    const std::string_view text = value->to_text().value_or("");
    constexpr std::size_t size_max = 255;
    const bool plain = std::ranges::all_of(text, [](char c) { return c > ' ' && c < 0x7f; });
    return plain && text.size() <= size_max ? std::string(text) : std::string();
}

}  // namespace

std::string redirection(const std::optional<codec::ErrorCondition>& condition) {
    if (!condition) return {};
    const bool of_link = condition->condition == codec::condition::link_redirect;
    if (!of_link && condition->condition != codec::condition::connection_redirect) return {};
    std::string where = info_text(condition->info, "network-host");
    if (where.empty()) where = info_text(condition->info, "hostname");
    if (where.empty()) where = "elsewhere";
    if (const std::string port = info_text(condition->info, "port"); !port.empty()) where += ":" + port;
    if (const std::string address = info_text(condition->info, "address"); of_link && !address.empty())
        where += fmt::format(", address '{}'", address);
    return fmt::format("; the peer sends us to {}, where we do not go by ourselves: put it into the transport URL",
                       where);
}

}  // namespace aprotic::driver::bus
