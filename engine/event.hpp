#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <variant>
#include <vector>

#include <aprotic/codec/delivery_state.hpp>
#include <aprotic/codec/performatives.hpp>
#include <aprotic/engine/failure.hpp>
#include <aprotic/engine/ids.hpp>
#include <aprotic/engine/security.hpp>

namespace aprotic::engine {

struct SuspendedLink;

/// SASL finished, or was left out by both sides. Comes at most once, before ConnectionOpened.
struct Authenticated {
    PeerIdentity identity;  ///< server role: the client's; client role: what we used
};
/// The peer's open arrived. Client and server alike: from here on both opens have been seen or ours is on its way.
struct ConnectionOpened {
    codec::Open remote;
};
/// The peer sent close. Our answer follows by itself once the application has had this event.
struct ConnectionClosedByPeer {
    std::optional<codec::ErrorCondition> error;
};
/// The last event of an engine, exactly once: nothing more goes in or out. Every endpoint is gone with it and every
/// delivery without an outcome is in doubt.
struct ConnectionEnded {
    std::optional<Failure> failure;  ///< empty after an orderly close from our side
};

/// The peer's begin arrived; `requested` when the peer began the session (it is answered by itself).
struct SessionOpened {
    SessionId session;
    bool requested = false;
    codec::Begin remote;
};
/// The session is over: the peer ended it, or answered our end. Its links have had their LinkDetached before.
struct SessionEnded {
    SessionId session;
    Initiator initiator = Initiator::peer;
    std::optional<codec::ErrorCondition> error;
};

/// The peer attaches. Answer with Engine::accept or Engine::refuse.
struct LinkRequested {
    SessionId session;
    LinkId link;
    codec::Attach remote;
};
/// The peer answered our attach with a live terminus: the link may be used. A refused link never has this event.
/// [2.6.3]
struct LinkOpened {
    LinkId link;
    codec::Attach remote;
};
/// The link is gone on both sides or with its session: at most once per link. Follows LinkOpened or a refusal.
struct LinkDetached {
    LinkId link;
    Initiator initiator = Initiator::peer;
    bool closed = true;    ///< false: the peer keeps its terminus (suspended) [2.6.4]
    bool refused = false;  ///< our attach was answered with a null terminus
    std::optional<codec::ErrorCondition> error;
    /// A resumable link that was not closed: what it takes to attach it again. Else null.
    std::shared_ptr<SuspendedLink> suspended{};
    /// A sender's deliveries of which no frame was built: the peer has certainly seen nothing of them.
    std::vector<DeliveryId> unsent{};
};
/// The peer detached first and waits for ours: release what hangs on the link, then Engine::detach. Follows nothing
/// twice.
struct LinkDetaching {
    LinkId link;
    bool closed = true;
    bool refused = false;
    std::optional<codec::ErrorCondition> error;
};
/// Credit of a sending link changed, a receiving link's drain finished, or the peer answered an echo: read the state.
/// One pending event per link, and one for each flow with properties.
struct LinkFlowed {
    LinkId link;
    std::shared_ptr<const codec::Map> properties{};  ///< null when there are none
};

/// A whole message waits on a receiving link, or a part of one on a link with a stream window: Engine::take(delivery).
/// Bounded by the credit we gave; the next one of a delivery comes only after take.
struct DeliveryReceived {
    LinkId link;
    DeliveryId delivery;
};
/// Something became known of a delivery. Outgoing: the peer's state and whether it is settled, or, for one sent
/// settled, that its last frame went out. Incoming: the sender settled it first or, of a delivery whose first parts
/// were told, took it back (aborted). Outgoing and `aborted`: it was sent in parts that nobody has any more, so the
/// peer will never have all of it.
struct DeliveryUpdated {
    LinkId link;
    DeliveryId delivery;
    std::optional<codec::DeliveryState> state;
    bool settled = false;
    bool aborted = false;
    bool wants_more = false;  ///< outgoing, in parts: all that was appended has left; a good moment for the next part
    void* context = nullptr;  ///< outgoing: SendOptions::context; null once `settled` has been told
};

/// Deliveries of a sending link that were sent whole and are over, in their order: what a DeliveryUpdated would say of
/// each. The engine has forgotten them. Only if Engine::tell_settled_together was called.
struct DeliveriesSettled {
    struct One {
        DeliveryId delivery;
        void* context;  ///< SendOptions::context
    };
    static constexpr std::size_t count_max = 32;

    std::span<const One> deliveries() const noexcept { return std::span(all).first(count); }

    LinkId link;
    bool accepted = false;  ///< by the peer, who has settled them; false: they were sent settled, and are written
    std::size_t count = 0;
    std::array<One, count_max> all;  ///< of which `count` are there
};

using Event =
    std::variant<Authenticated, ConnectionOpened, ConnectionClosedByPeer, ConnectionEnded, SessionOpened, SessionEnded,
                 LinkRequested, LinkOpened, LinkDetaching, LinkDetached, LinkFlowed, DeliveryReceived, DeliveryUpdated,
                 DeliveriesSettled>;

}  // namespace aprotic::engine
