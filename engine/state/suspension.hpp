#pragma once

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include <aprotic/codec/types.hpp>
#include <aprotic/engine/failure.hpp>
#include <aprotic/engine/state/tracker_state.hpp>
#include <aprotic/engine/suspended_link.hpp>

namespace aprotic::engine {

struct ReceiverState;

/// What the event layer keeps beside a suspended link's deliveries. Changed only while no link has it.
struct Suspension {
    Suspension() = default;
    /// Nobody attaches the link again: whoever waits for an outcome hears that there will be none.
    ~Suspension();
    Suspension(const Suspension&) = delete;
    Suspension& operator=(const Suspension&) = delete;

    std::vector<std::pair<codec::DeliveryTag, TrackerRef>> trackers;  ///< sending
    std::uint64_t next_tag = 0;                                       ///< sending: those below may be in use
    std::weak_ptr<ReceiverState> receiver;  ///< receiving: where the application's deliveries come from
    Failure why;                            ///< for the trackers
};

inline SuspendedDelivery* find_delivery(SuspendedLink& link, const codec::DeliveryTag& tag) {
    for (auto& delivery : link.deliveries) {
        if (delivery.tag == tag) return &delivery;
    }
    return nullptr;
}

}  // namespace aprotic::engine
