#include <aprotic/driver/target.hpp>

#include <array>
#include <charconv>

namespace aprotic::driver {
namespace {

struct Version {
    unsigned major = 0, minor = 0, revision = 0;
};

std::optional<Version> parse_version(std::string_view text) {
    std::array<unsigned, 3> parts{};
    std::size_t count = 0;
    const char* at = text.data();
    const char* const end = at + text.size();
    for (; count < parts.size(); ++count) {
        const auto [next, error] = std::from_chars(at, end, parts[count]);
        if (error != std::errc()) return std::nullopt;
        at = next;
        if (at == end) break;
        if (*at++ != '.') return std::nullopt;
    }
    if (at != end || count == 0) return std::nullopt;  // a major alone is no version
    return Version{parts[0], parts[1], parts[2]};
}

}  // namespace

bool version_is_compatible(std::string_view implemented, std::string_view requested) {
    const auto have = parse_version(implemented);
    const auto want = parse_version(requested);
    if (!have || !want || have->major != want->major || want->minor > have->minor) return false;
    return want->minor < have->minor || want->revision <= have->revision;
}

}  // namespace aprotic::driver
