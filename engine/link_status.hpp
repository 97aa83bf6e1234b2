#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include <aprotic/codec/bytes.hpp>
#include <aprotic/codec/delivery_state.hpp>
#include <aprotic/codec/types.hpp>
#include <aprotic/codec/value.hpp>

namespace aprotic::engine {

/// A delivery as it came in: the peer's bytes, owned by reference.
struct IncomingDelivery {
    codec::DeliveryTag tag;
    std::uint32_t message_format = 0;
    codec::ByteChain payload;                   ///< the encoded message; in parts: what has come since the last take
    bool complete = true;                       ///< false: more parts will come (LinkOptions::stream_window)
    bool settled = false;                       ///< the sender settled it; no outcome is expected
    std::optional<codec::DeliveryState> state;  ///< the sender's, if it sent one (transactional-state)
};

/// What the peer says of a link when it is asked. Counts are deliveries. [2.7.4]
struct PeerFlow {
    std::uint32_t credit = 0;     ///< sending: may start now; receiving: granted and not yet used
    std::uint32_t available = 0;  ///< receiving: what the sender would send if it had credit
    codec::Map properties{};      ///< symbol keys
};

/// What can be asked of a link at any time. Counts are deliveries.
struct LinkStatus {
    std::uint32_t credit = 0;  ///< sending: may start now; receiving: granted and not yet used
    std::size_t queued = 0;    ///< sending: handed over, not wholly on the wire
    std::size_t unsettled = 0;
    bool draining = false;
    std::uint32_t available = 0;  ///< messages the sender would send if it had credit, by its own word [2.6.7-m]
    std::uint64_t peer_message_size_max = 0;  ///< bytes, 0 = no limit
};

}  // namespace aprotic::engine
