#pragma once

#include <aprotic/codec/dump.hpp>
#include <aprotic/codec/frame.hpp>
#include <aprotic/codec/message.hpp>
#include <aprotic/engine/core/connection_endpoint.hpp>

#include "peer/checks.hpp"
#include "peer/memory_channel.hpp"
#include "peer/peer.hpp"
#include "support/engine_machine.hpp"

#include <array>
#include <chrono>
#include <deque>
#include <string>
#include <utility>

namespace aprotic::test {

using namespace std::chrono_literals;
using namespace engine;
using engine::core::ConnectionEndpoint;
namespace condition = codec::condition;

/// A connection endpoint that does the exchange of AMQP headers, which is the stack's business in the product.
class Endpoint : public ConnectionEndpoint {
public:
    Endpoint(EngineRole role, ConnectionOptions options, Instant now)
        : ConnectionEndpoint(role, std::move(options), now, 7) {
        outbox().append(codec::ProtocolHeader(codec::ProtocolId::amqp).serialise());
        start_output(now);
    }

    void commit_read(std::size_t n, Instant now) {
        ConnectionEndpoint::commit_read(n, now);
        if (!header_came_) {
            if (inbox().unread().size() < codec::ProtocolHeader::size) return;
            inbox().consume(codec::ProtocolHeader::size);
            header_came_ = true;
        }
        recv_input(now);
    }

private:
    bool header_came_ = false;
};

using Machine = EngineMachine<Endpoint>;

inline ConnectionOptions options(std::string container_id = "ours") {
    ConnectionOptions made;
    made.container_id = std::move(container_id);
    return made;
}

inline LinkOptions link_options(codec::Role role, std::string name = "link", std::string address = "node") {
    LinkOptions made;
    made.role = role;
    made.name = std::move(name);
    codec::Source source;
    codec::Target target;
    (role == codec::Role::sender ? target.address : source.address) = std::move(address);
    made.source = std::move(source);
    made.target = codec::AttachTarget(std::move(target));
    return made;
}
inline LinkOptions sending(std::string name = "link") { return link_options(codec::Role::sender, std::move(name)); }
inline LinkOptions receiving(std::string name = "link") { return link_options(codec::Role::receiver, std::move(name)); }

/// Octets as a message: the endpoints do not look into them.
inline codec::EncodedMessage octets(std::string text) {
    return codec::EncodedMessage(codec::ByteChain(codec::Bytes::from_string(std::move(text))));
}
inline std::string octets_of(const IncomingDelivery& delivery) { return delivery.payload.to_string(); }

/// An endpoint and a scripted peer, with open behind them.
struct Scene {
    /// With `opened` false nothing has happened yet, not even the header.
    explicit Scene(ConnectionOptions ours = options(), const peer::OpenFrame& theirs = peer::open(), bool opened = true,
                   EngineRole role = EngineRole::client)
        : machine([&](Instant now) { return Endpoint(role, std::move(ours), now); }),
          channel(machine, plan),
          peer(channel) {
        if (!opened) return;
        machine->open().value();
        peer.answer_open(theirs);
        machine.expect_event<ConnectionOpened>();
    }

    /// Begins a session of ours and has it answered.
    SessionId begin(peer::BeginFrame theirs = peer::begin()) {
        const SessionId session = machine->begin().value();
        const auto begin = peer.expect_begin();
        theirs.remote_channel(begin.channel()).on_channel(begin.channel());
        peer.map_channel(begin.channel(), begin.channel());
        peer.send(theirs);
        machine.expect_event<SessionOpened>();
        return session;
    }
    /// Attaches a link of ours and has it answered.
    LinkId attach(SessionId session, const LinkOptions& ours) {
        const LinkId link = machine->attach(session, ours).value();
        peer.expect_attach().respond();
        machine.expect_event<LinkOpened>();
        return link;
    }
    LinkId sender(SessionId session, std::string name = "link") { return attach(session, sending(std::move(name))); }
    LinkId receiver(SessionId session, std::uint32_t credit, std::string name = "link") {
        const LinkId link = attach(session, receiving(std::move(name)));
        if (credit > 0) {
            machine->set_credit(link, credit).value();
            peer.expect_flow();
        }
        return link;
    }
    /// Credit for our sender on `handle`.
    void grant(std::uint32_t handle, std::uint32_t credit, std::uint32_t delivery_count = 0) {
        peer.send(peer::flow().handle(handle).delivery_count(delivery_count).link_credit(credit));
        machine.expect_event<LinkFlowed>();
    }
    IncomingDelivery receive() { return machine->take(machine.expect_event<DeliveryReceived>().delivery).value(); }

    peer::Plan plan;
    Machine machine;
    peer::MemoryChannel channel;
    peer::Peer peer;
};

}  // namespace aprotic::test
