#pragma once

#include <aprotic/codec/message_view.hpp>
#include <aprotic/codec/wire.hpp>

#include <algorithm>
#include <array>

namespace aprotic::codec {

/// Walks over a chain from front to back and measures values by their sizes, wherever the segments end. [3.2-i]
class MessageView::Cursor {
public:
    explicit Cursor(const ByteChain& octets, std::size_t at = 0) : segments_(octets.segments()), size_(octets.size()) {
        seek(at);
    }

    std::size_t at() const noexcept { return at_; }
    bool at_end() const noexcept { return at_ == size_; }
    Errc error() const noexcept { return error_; }

    void seek(std::size_t to) noexcept {
        at_ = to;
        while (segment_ < segments_.size() && at_ - base_ >= segments_[segment_].size())
            base_ += segments_[segment_++].size();
    }

    /// Up to `n` octets from here on, fewer only at the end; put together in `scratch` if they are in two segments.
    std::span<const std::byte> peek(std::span<std::byte> scratch) const noexcept {
        const std::size_t n = std::min(scratch.size(), size_ - at_);
        std::size_t from = at_ - base_;
        if (n == 0) return {};
        if (segments_[segment_].size() - from >= n) return segments_[segment_].span().subspan(from, n);
        std::size_t done = 0;
        for (std::size_t i = segment_; done < n; ++i, from = 0) {
            const auto piece = segments_[i].span().subspan(from);
            const std::size_t part = std::min(piece.size(), n - done);
            std::copy_n(piece.begin(), part, scratch.begin() + static_cast<std::ptrdiff_t>(done));
            done += part;
        }
        return scratch.first(n);
    }

    /// Steps over one value. False, with error(), when it does not end where the message does or earlier.
    bool skip(std::uint32_t depth_left) noexcept {
        std::array<std::byte, 5> scratch;
        const auto head = peek(scratch);
        if (head.empty()) return fail(Errc::truncated);
        const auto format_code = std::to_integer<std::uint8_t>(head[0]);
        if (!type_of_code(format_code)) {
            return fail((format_code & 0x0fU) == 0x0f ? Errc::reserved_ext_type : Errc::unknown_format_code);
        }
        if (format_code == code::described) {
            if (depth_left == 0) return fail(Errc::nesting_too_deep);
            seek(at_ + 1);
            return skip(depth_left - 1) && skip(depth_left - 1);
        }
        if (format_code < code::vbin8) return advance(1 + fixed_width(format_code), Errc::truncated);
        const std::size_t width = size_width(format_code);
        if (head.size() < 1 + width) return fail(Errc::truncated);
        const std::size_t length =
            width == 1 ? std::to_integer<std::size_t>(head[1]) : load_be<std::uint32_t>(head.data() + 1);
        return advance(1 + width, Errc::truncated) && advance(length, Errc::length_out_of_bounds);
    }

    bool fail(Errc error) noexcept {
        error_ = error;
        return false;
    }

    /// The next `length` octets, shared, without a search from the front of the chain.
    ByteChain slice(std::size_t length) const {
        ByteChain part;
        std::size_t from = at_ - base_;
        for (std::size_t i = segment_; length > 0; ++i, from = 0) {
            Bytes piece = segments_[i].slice(from, length);
            length -= piece.size();
            part.append(std::move(piece));
        }
        return part;
    }

private:
    bool advance(std::size_t n, Errc error) noexcept {
        if (n > size_ - at_) return fail(error);
        seek(at_ + n);
        return true;
    }

    std::span<const Bytes> segments_;
    std::size_t size_;
    std::size_t at_ = 0;
    std::size_t segment_ = 0;
    std::size_t base_ = 0;
    Errc error_{};
};

}  // namespace aprotic::codec
