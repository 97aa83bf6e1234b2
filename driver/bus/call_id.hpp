#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace aprotic::driver::bus {

/// What makes a call unmistakable: random, and on the wire 32 hexadecimal digits.
struct CallId {
    using Text = std::array<char, 32>;

    std::uint64_t high = 0;
    std::uint64_t low = 0;

    bool is_none() const noexcept { return high == 0 && low == 0; }
    Text text() const noexcept;
    /// nullopt: it is no id of ours.
    static std::optional<CallId> parse(std::string_view text) noexcept;

    bool operator==(const CallId&) const = default;

    struct Hash {
        std::size_t operator()(const CallId& id) const noexcept { return static_cast<std::size_t>(id.low); }
    };
};

inline std::string_view as_text(const CallId::Text& text) noexcept { return {text.data(), text.size()}; }

}  // namespace aprotic::driver::bus
