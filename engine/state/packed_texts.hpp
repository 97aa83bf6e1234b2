#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <string_view>

namespace aprotic::engine {

/// A few texts that never change, in one block that is as large as they are: a std::string takes 32 octets for one of
/// four.
template <std::size_t Count>
class PackedTexts {
public:
    explicit PackedTexts(const std::array<std::string_view, Count>& texts) {
        std::size_t octets = sizeof(Lengths);
        Lengths lengths{};
        for (std::size_t i = 0; i < Count; ++i) {
            lengths[i] = static_cast<std::uint32_t>(texts[i].size());
            octets += texts[i].size();
        }
        block_.reset(new char[octets]);
        ::new (static_cast<void*>(block_.get())) Lengths(lengths);
        char* to = block_.get() + sizeof(Lengths);
        for (const std::string_view text : texts) to += text.copy(to, text.size());
    }

    std::string_view operator[](std::size_t index) const noexcept {
        const Lengths& lengths = *std::launder(reinterpret_cast<const Lengths*>(block_.get()));
        const char* from = block_.get() + sizeof(Lengths);
        for (std::size_t i = 0; i < index; ++i) from += lengths[i];
        return {from, lengths[index]};
    }

private:
    using Lengths = std::array<std::uint32_t, Count>;
    std::unique_ptr<char[]> block_;
};

}  // namespace aprotic::engine
