#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

#include <aprotic/codec/types.hpp>

namespace aprotic::engine::core {

using codec::SerialNumber;

/// Session flow control: the numbers of transfer frames in both directions and how many more may go. [2.5.6]
///
/// Pure: no clock, no frames, no allocation.
class SessionWindows {
public:
    /// What we tell about transfers that we could send: more than anybody can use, since our queues hold no frames but
    /// messages.
    static constexpr std::uint32_t outgoing_window = 0x7fff'ffff;

    /// `incoming_window`: transfer frames the peer may send before it hears of more.
    constexpr explicit SessionWindows(std::uint32_t incoming_window,
                                      SerialNumber initial_outgoing_id = SerialNumber(0)) noexcept
        : initial_outgoing_id_(initial_outgoing_id),
          next_outgoing_id_(initial_outgoing_id),
          incoming_window_max_(incoming_window),
          incoming_window_(incoming_window),
          told_(incoming_window) {}

    /// The peer's begin.
    constexpr void recv_begin(SerialNumber next_outgoing_id, std::uint32_t incoming_window,
                              std::uint32_t outgoing_window_size) noexcept {
        next_incoming_id_ = next_outgoing_id;
        remote_incoming_window_ = incoming_window;
        remote_outgoing_window_ = outgoing_window_size;
    }

    /// The peer's flow. What it had not seen of our transfers when it wrote the flow is subtracted from the window it
    /// gives. Without next_incoming_id the peer has not seen our begin. [2.5.6-c, -d, -g]
    constexpr void recv_flow(std::optional<SerialNumber> next_incoming_id, std::uint32_t incoming_window,
                             SerialNumber next_outgoing_id, std::uint32_t outgoing_window_size) noexcept {
        next_incoming_id_ = next_outgoing_id;
        remote_outgoing_window_ = outgoing_window_size;
        const std::int32_t ahead = next_outgoing_id_.distance_from(next_incoming_id.value_or(initial_outgoing_id_));
        const std::uint32_t in_flight = ahead > 0 ? static_cast<std::uint32_t>(ahead) : 0;
        remote_incoming_window_ = incoming_window > in_flight ? incoming_window - in_flight : 0;
    }

    /// Transfer frames that may be sent now.
    constexpr std::uint32_t sendable() const noexcept { return remote_incoming_window_; }
    /// Counts a transfer frame that is sent; only while sendable().
    constexpr void send_transfer() noexcept {
        ++next_outgoing_id_;
        --remote_incoming_window_;
    }

    /// Whether a transfer frame that comes now is inside of our window.
    constexpr bool may_recv_transfer() const noexcept { return told_ > 0; }
    /// Counts a transfer frame that came. Returns false, and counts nothing, when it is outside of our window.
    /// [2.5.6-f]
    [[nodiscard]] constexpr bool recv_transfer() noexcept {
        if (told_ == 0) return false;
        --told_;
        if (incoming_window_ > 0) --incoming_window_;
        ++next_incoming_id_;
        if (remote_outgoing_window_ > 0) --remote_outgoing_window_;
        return true;
    }

    /// Whether the peer should hear of a new window, of at most `limit` frames now, before the old one dries up.
    /// [2.5.6-i]
    constexpr bool should_reopen(std::uint32_t limit = UINT32_MAX) const noexcept {
        const std::uint32_t whole = std::min(limit, incoming_window_max_);
        return incoming_window_ <= whole / 2 && incoming_window_ < whole;
    }
    /// A flow is being written: the whole window is given again, or as much of it as `limit` allows now. What was told
    /// before may be on its way already and is still taken. Returns the window.
    constexpr std::uint32_t reopen(std::uint32_t limit = UINT32_MAX) noexcept {
        incoming_window_ = std::min(limit, incoming_window_max_);
        told_ = std::max(told_, incoming_window_);
        return incoming_window_;
    }

    constexpr SerialNumber next_incoming_id() const noexcept { return next_incoming_id_; }
    constexpr SerialNumber next_outgoing_id() const noexcept { return next_outgoing_id_; }
    constexpr std::uint32_t incoming_window() const noexcept { return incoming_window_; }
    constexpr std::uint32_t remote_outgoing_window() const noexcept { return remote_outgoing_window_; }

private:
    SerialNumber initial_outgoing_id_;
    SerialNumber next_outgoing_id_;
    SerialNumber next_incoming_id_;
    std::uint32_t incoming_window_max_;
    std::uint32_t incoming_window_;
    std::uint32_t told_;  // the highest that the peer may still count on
    std::uint32_t remote_incoming_window_ = 0;
    std::uint32_t remote_outgoing_window_ = 0;
};

}  // namespace aprotic::engine::core
