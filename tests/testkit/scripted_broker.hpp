#pragma once

#include <chrono>
#include <deque>
#include <memory>
#include <utility>

#include <aprotic/engine/reactor.hpp>

#include "peer/peer.hpp"
#include "sim/sim_reactor.hpp"
#include "testkit/stream_channel.hpp"

namespace aprotic::testing {

/// A broker that does what a test tells it to, and nothing else. It listens at an address of a simulated world; each
/// connection that the application under test makes there is a scripted peer, on which the test says and expects
/// frames. What does not come as expected throws peer::ScriptError, whose text shows what was said and heard before.
///
/// Waiting takes virtual time and runs the world, so everything happens on the thread of the test.
class ScriptedBroker {
public:
    /// One connection of the application. Movable; it must not outlive the reactor.
    class Line {
    public:
        Line(sim::SimReactor& reactor, std::unique_ptr<engine::Stream> stream)
            : channel_(std::make_unique<StreamChannel>(reactor, std::move(stream))),
              peer_(std::make_unique<peer::Peer>(*channel_)) {
            peer_->patience = std::chrono::minutes(1);
        }

        /// Says and hears: `line->answer_open()`, `line->expect_attach()`. Its patience is a minute at first.
        peer::Peer* operator->() { return peer_.get(); }
        peer::Peer& operator*() { return *peer_; }
        /// Cuts the connection, as a broker does that dies: no close, no end.
        void drop() { channel_->close(); }

    private:
        std::unique_ptr<StreamChannel> channel_;
        std::unique_ptr<peer::Peer> peer_;
    };

    /// Listens at once; throws peer::ScriptError when somebody listens there already. The reactor must outlive the
    /// broker.
    explicit ScriptedBroker(sim::SimReactor& reactor,
                            const engine::Address& at = {.host = "broker", .port = codec::protocol::port})
        : reactor_(reactor) {
        auto acceptor = reactor.listen(
            at, [this](std::unique_ptr<engine::Stream> stream) { waiting_.push_back(std::move(stream)); });
        if (!acceptor) throw peer::ScriptError(acceptor.error().text);
        acceptor_ = std::move(*acceptor);
    }
    ScriptedBroker(const ScriptedBroker&) = delete;
    ScriptedBroker& operator=(const ScriptedBroker&) = delete;

    /// The next connection of the application, in the order in which they were made; runs the world until there is one.
    /// Throws peer::ScriptError when none is made within `patience`.
    Line accept(peer::Duration patience = std::chrono::minutes(1)) {
        if (!reactor_.run_until([this] { return !waiting_.empty(); }, patience))
            throw peer::ScriptError("expected a connection\n  got      nothing");
        auto stream = std::move(waiting_.front());
        waiting_.pop_front();
        return {reactor_, std::move(stream)};
    }

private:
    sim::SimReactor& reactor_;
    std::deque<std::unique_ptr<engine::Stream>> waiting_;
    std::unique_ptr<engine::Acceptor> acceptor_;
};

}  // namespace aprotic::testing
