#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

#include <aprotic/codec/types.hpp>

namespace aprotic::engine::core {

using codec::SerialNumber;

/// What the peer's flow frame said about a link on which we send. [2.7.4]
struct ReceiverFlow {
    std::optional<SerialNumber> delivery_count;  ///< null while the receiver has not seen our attach
    std::uint32_t link_credit = 0;               ///< deliveries
    bool drain = false;
};

/// The sender's half of link flow control: how many deliveries may start now, and what a drain owes the receiver.
/// [2.6.7]
///
/// Pure: no clock, no frames, no allocation.
class SenderCredit {
public:
    /// `initial_delivery_count` is the one our attach carries.
    constexpr explicit SenderCredit(SerialNumber initial_delivery_count = SerialNumber(0)) noexcept
        : initial_(initial_delivery_count), delivery_count_(initial_delivery_count) {}

    /// Deliveries that may start now.
    constexpr std::uint32_t available() const noexcept { return credit_; }
    /// The count our next flow or transfer stands at.
    constexpr SerialNumber delivery_count() const noexcept { return delivery_count_; }
    /// The receiver wants what there is now and takes the rest of its credit back.
    constexpr bool draining() const noexcept { return draining_; }

    /// Takes over the receiver's view. Deliveries that crossed its flow on the wire are subtracted from what it grants;
    /// the grant itself may be anything up to 2^32 - 1, so it is never added to a serial number. [2.6.7-b, -g]
    constexpr void recv_flow(const ReceiverFlow& flow) noexcept {
        const std::int32_t crossed = delivery_count_.distance_from(flow.delivery_count.value_or(initial_));
        const std::uint32_t in_flight = crossed > 0 ? static_cast<std::uint32_t>(crossed) : 0;
        credit_ = flow.link_credit > in_flight ? flow.link_credit - in_flight : 0;
        draining_ = flow.drain;
    }

    /// Counts a delivery that begins. Returns false, and counts nothing, when there is no credit for it.
    [[nodiscard]] constexpr bool begin_delivery() noexcept {
        if (credit_ == 0) return false;
        --credit_;
        ++delivery_count_;
        return true;
    }

    /// Ends a drain when nothing is left to send: spends the rest of the credit by advancing the count, once.
    /// Returns whether a flow frame must now tell the receiver so. [2.6.7-h]
    [[nodiscard]] constexpr bool finish_drain() noexcept {
        if (!draining_ || credit_ == 0) return false;
        delivery_count_ += credit_;
        credit_ = 0;
        return true;
    }

private:
    SerialNumber initial_;
    SerialNumber delivery_count_;
    std::uint32_t credit_ = 0;
    bool draining_ = false;
};

/// The receiver's half: what we have granted, what of it was used, and whether a drain of ours is under way. [2.6.7]
///
/// Pure: no clock, no frames, no allocation. Credit that is taken back may already be spent on the wire, so deliveries
/// are held against the highest limit that the sender was ever told, not against the latest one.
class ReceiverCredit {
public:
    /// Deliveries granted and not yet used.
    constexpr std::uint32_t credit() const noexcept { return credit_; }
    /// The sender's count as we know it; none before its attach was seen. [2.6.7-o]
    constexpr std::optional<SerialNumber> delivery_count() const noexcept {
        return attached_ ? std::optional(delivery_count_) : std::nullopt;
    }
    constexpr bool draining() const noexcept { return draining_; }
    /// Deliveries the sender says it would send. [2.6.7-m]
    constexpr std::uint32_t available() const noexcept { return available_; }

    constexpr void recv_attach(SerialNumber initial_delivery_count) noexcept {
        delivery_count_ = initial_delivery_count;
        attached_ = true;
    }

    /// From now on `credit` more deliveries may come. Ends a drain. [2.6.7-f, -l]
    constexpr void set(std::uint32_t credit) noexcept {
        credit_ = credit;
        // Told is at least what was told before less what has come since: the sender may not have seen this one yet.
        told_ = std::max(told_, credit);
        draining_ = false;
    }

    /// Starts a drain. Returns false when there is nothing to take back: then it is over at once.
    [[nodiscard]] constexpr bool start_drain() noexcept {
        draining_ = credit_ > 0;
        return draining_;
    }

    /// Counts a delivery that begins. Returns false, and counts nothing, when the sender was never given the credit.
    /// [2.6.7-n]
    [[nodiscard]] constexpr bool begin_delivery() noexcept {
        if (told_ == 0) return false;
        use(1);
        if (available_ > 0) --available_;
        return true;
    }

    /// Takes over the sender's view: its count moves on by what it gives back in a drain. [2.6.7-h]
    constexpr void recv_flow(std::optional<SerialNumber> delivery_count,
                             std::optional<std::uint32_t> available) noexcept {
        if (available) available_ = *available;
        if (!delivery_count || !attached_) return;
        // Not a signed distance: a drain may give 2^32 - 1 back, and the sender's count never runs behind on an ordered
        // stream.
        const std::uint32_t given_back = delivery_count->value() - delivery_count_.value();
        if (given_back <= told_) {
            use(given_back);
        } else {
            delivery_count_ = *delivery_count;  // [2.6.7-o] the sender's word counts
        }
    }

    /// Whether a drain of ours has just ended. True once.
    [[nodiscard]] constexpr bool take_drained() noexcept {
        if (!draining_ || credit_ > 0) return false;
        draining_ = false;
        return true;
    }

private:
    constexpr void use(std::uint32_t deliveries) noexcept {
        delivery_count_ += deliveries;
        told_ -= std::min(told_, deliveries);
        credit_ -= std::min(credit_, deliveries);
    }

    SerialNumber delivery_count_;
    std::uint32_t credit_ = 0;
    std::uint32_t told_ = 0;
    std::uint32_t available_ = 0;
    bool attached_ = false;
    bool draining_ = false;
};

}  // namespace aprotic::engine::core
