#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include <aprotic/codec/bytes.hpp>
#include <aprotic/codec/delivery_state.hpp>
#include <aprotic/codec/types.hpp>
#include <aprotic/codec/value.hpp>
#include <aprotic/engine/core/fault.hpp>

namespace aprotic::engine::core {

/// The unsettled map of the peer's attach: what it remembers of deliveries from before. [2.7.3]
class UnsettledMap {
public:
    using State = std::optional<codec::DeliveryState>;

    /// A state of an unknown kind reads as none.
    Fault read(const codec::Map& map, bool incomplete);

    /// Null when the peer does not name the delivery, which means that it has forgotten it unless the map is
    /// incomplete.
    const State* find(const codec::DeliveryTag& tag) const noexcept;
    bool incomplete() const noexcept { return incomplete_; }

private:
    std::vector<std::pair<codec::DeliveryTag, State>> entries_;  // by tag
    bool incomplete_ = false;
};

/// What the sender does about one delivery of a link that is attached again.
enum class ResumeAction {
    none,
    wait,       ///< nothing yet: a map is incomplete, so that a missing entry says nothing [2.6.13-g]
    forget,     ///< the peer has settled it
    lost,       ///< the peer does not know it, and nobody has it any more
    resend,     ///< as a new delivery
    resume,     ///< the whole message under the old tag; the peer drops what it has
    associate,  ///< no data: the tag gets a delivery-id, our state is told
    abort,      ///< no data, and never will be: the peer drops what it has
};

struct ResumeStep {
    ResumeAction action = ResumeAction::none;
    std::optional<codec::DeliveryState> state{};  ///< ours, for the transfer
    bool may_settle = false;                      ///< both have come to the same outcome
};

/// What the sender has.
struct KeptDelivery {
    std::optional<codec::DeliveryState> state{};  ///< ours: an outcome, or `received` where a beginning is gone
    codec::ByteChain payload{};
};

/// One row of the table in 3.4.6. `theirs` as UnsettledMap::find gives it; `complete`: both maps are. [3.4.6]
ResumeStep plan_resume(const KeptDelivery& ours, const UnsettledMap::State* theirs, bool complete);

/// The state of one who has a whole message and needs none of it again; none if its sections cannot be told apart.
/// [3.4.1]
std::optional<codec::DeliveryState> wholly_received(const codec::ByteChain& message);

/// The state of a sender that has nothing of a message any more.
codec::DeliveryState nothing_kept();

}  // namespace aprotic::engine::core
