#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <aprotic/codec/bytes.hpp>
#include <aprotic/codec/definitions.hpp>
#include <aprotic/codec/delivery_state.hpp>
#include <aprotic/codec/types.hpp>

namespace aprotic::engine {

/// One delivery that was not settled when its link was suspended.
struct SuspendedDelivery {
    codec::DeliveryTag tag;
    std::uint32_t message_format = 0;
    /// Sending: the whole message, to be sent again where the peer needs it. Empty for one sent in parts, which are not
    /// kept.
    codec::ByteChain payload;
    /// Our state. An outcome put here while the link is suspended is told when it is attached again, and settles the
    /// delivery.
    std::optional<codec::DeliveryState> state;
    /// The latest state the peer told.
    std::optional<codec::DeliveryState> remote_state;
    /// The peer settled it after the link was suspended, while the session went on. [2.7.6-h]
    bool settled = false;
    /// The delivery-id in the session it was sent on; means nothing to another. [2.6.13-h]
    std::optional<std::uint32_t> number;
};

/// What one end of a link remembers while it is not attached: its deliveries of unknown fate. [2.6.13]
///
/// LinkDetached hands it over for a link with LinkOptions::resumable; LinkOptions::suspended takes it to the next
/// attach of the same name, on the same connection or another. Until then it belongs to the application, which may
/// write it down, change it and drop what it no longer wants to know. Not to be changed while an engine is at work on
/// another thread.
///
/// A Sender or Receiver that ends so gives it by take_suspended(). Then it carries whoever waits for the outcomes of
/// its deliveries, too: dropped, or when an entry is removed, their trackers end as in_doubt.
///
/// Sending: messages that were queued and of which nothing was on the wire are not here; they can be sent anew.
/// Receiving: deliveries that the application had not taken are not here; the peer sends them again.
struct SuspendedLink {
    std::string name;
    codec::Role role = codec::Role::sender;  ///< ours
    std::vector<SuspendedDelivery> deliveries;
    std::shared_ptr<struct Suspension> suspension{};  ///< the event layer's; leave it alone
};

}  // namespace aprotic::engine
