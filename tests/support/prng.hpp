#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace aprotic::test {

/// splitmix64: the same numbers everywhere, unlike the distributions of the standard library.
class Prng {
public:
    explicit Prng(std::uint64_t seed) noexcept : state_(seed) {}

    std::uint64_t next() noexcept {
        std::uint64_t z = (state_ += 0x9e37'79b9'7f4a'7c15);
        z = (z ^ (z >> 30U)) * 0xbf58'476d'1ce4'e5b9;
        z = (z ^ (z >> 27U)) * 0x94d0'49bb'1331'11eb;
        return z ^ (z >> 31U);
    }
    /// 0 … bound - 1; 0 for a bound of 0.
    std::uint64_t below(std::uint64_t bound) noexcept { return bound == 0 ? 0 : next() % bound; }
    std::uint64_t between(std::uint64_t low, std::uint64_t high) noexcept { return low + below(high - low + 1); }
    bool one_in(std::uint64_t n) noexcept { return below(n) == 0; }
    std::byte octet() noexcept { return static_cast<std::byte>(next()); }
    std::string text(std::size_t size) {
        std::string s(size, '\0');
        for (char& c : s) c = static_cast<char>('a' + below(26));
        return s;
    }

private:
    std::uint64_t state_;
};

}  // namespace aprotic::test
