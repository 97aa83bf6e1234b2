#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <variant>

#include <aprotic/codec/definitions.hpp>
#include <aprotic/codec/value.hpp>
#include <aprotic/engine/core/delivery_record.hpp>
#include <aprotic/engine/core/event_queue.hpp>
#include <aprotic/engine/core/intrusive_list.hpp>
#include <aprotic/engine/core/link_endpoint.hpp>
#include <aprotic/engine/core/link_names.hpp>
#include <aprotic/engine/core/outbox.hpp>
#include <aprotic/engine/core/ring.hpp>
#include <aprotic/engine/core/session_endpoint.hpp>
#include <aprotic/engine/core/slot_map.hpp>
#include <aprotic/engine/core/transfer_scheduler.hpp>
#include <aprotic/engine/ids.hpp>
#include <aprotic/engine/options.hpp>
#include <aprotic/engine/time.hpp>

namespace aprotic::engine::core {

/// What the endpoints of one connection share. Owned by the ConnectionEndpoint.
struct EndpointContext {
    EngineRole role = EngineRole::client;
    /// What of the connection's options is of use for as long as it lives.
    Limits limits;
    std::optional<Duration> idle_timeout;
    Duration close_timeout{};
    std::uint64_t seed = 0;
    std::uint64_t names_made = 0;
    bool tells_settled_together = false;  ///< DeliveriesSettled instead of DeliveryUpdated, where it says it all

    /// What a peer can make us keep, measured so that we stop reading before it is too much. Bytes, roughly. Deliveries
    /// and sessions count themselves here and so must be destroyed first.
    std::size_t told_bytes = 0;      ///< states of deliveries
    std::size_t endpoint_bytes = 0;  ///< sessions and links
    std::size_t held_bytes = 0;      ///< whole deliveries that the application has not taken
    std::size_t partial_bytes = 0;   ///< deliveries whose last frame is still to come

    EventQueue events;
    Outbox outbox;
    TransferScheduler scheduler;
    SlotMap<SessionEndpoint, SessionId> sessions;
    SlotMap<LinkEndpoint, LinkId> links;
    SlotMap<Delivery, DeliveryId> deliveries;
    IntrusiveList<SessionEndpoint, &SessionEndpoint::dirty> dirty_sessions;
    LinkNames names;

    /// A delivery sent settled whose last frame ends at this position of the output.
    struct SentSettled {
        std::uint64_t position = 0;
        DeliveryId delivery;
    };
    Ring<SentSettled> sent_settled;

    /// What the frame being handled may take when its performative is kept as values: a value of one octet takes the
    /// room of a whole Value. Only an estimate, but one that a peer cannot escape.
    std::size_t frame_cost = 0;
    static constexpr std::size_t decoded_per_octet = sizeof(codec::Value);
    /// What an endpoint itself counts for.
    static constexpr std::size_t endpoint_cost = 1024;

    /// Makes the state of a frame shareable. The most frequent one is made once.
    Shared<ToldState> share(codec::DeliveryState state) {
        if (!std::holds_alternative<codec::Accepted>(state)) {
            return Shared(new ToldState(std::move(state), frame_cost, told_bytes));
        }
        if (!accepted) accepted = Shared(new ToldState(std::move(state), 0, told_bytes));
        return accepted;
    }
    Shared<ToldState> accepted;

    std::optional<std::uint32_t> remote_frame_size_max;  ///< as the peer's open says
    std::optional<std::uint16_t> remote_channel_max;

    /// Largest frame we may write now. [2.4.1-c]
    std::uint32_t frame_size_max() const noexcept {
        return remote_frame_size_max.value_or(codec::protocol::min_max_frame_size);
    }
};

}  // namespace aprotic::engine::core
