#pragma once

#include <map>

#include <aprotic/codec/described.hpp>
#include <aprotic/codec/transactions.hpp>

#include "broker/world.hpp"
#include "peer/peer.hpp"
#include "testkit/stream_channel.hpp"

namespace aprotic::engine {

/// A controller of transactions that is written frame by frame, beside ordinary clients of the same broker.
struct Controller {
    static constexpr std::uint32_t control = 0, producer = 1, consumer = 2;

    explicit Controller(BrokerOptions options = {}) : world(std::move(options)) {
        peer.skip_flows = true;
        peer.call_open(peer::open().max_frame_size(65536));
        peer.send(peer::begin().on_channel(0));
        peer.expect_begin();
    }

    peer::AttachFrame control_attach(std::uint32_t handle = control) {
        auto frame = peer::attach(codec::Role::sender, handle, "control" + std::to_string(handle));
        frame.performative.target = codec::AttachTarget(codec::Coordinator{{codec::Symbol("amqp:local-transactions")}});
        return frame;
    }
    void attach_control(std::uint32_t handle = control) {
        peer.send(control_attach(handle));
        peer.expect_attach();
    }
    void attach_producer(const std::string& address = "unicast.q") {
        peer.send(peer::attach(codec::Role::sender, producer, "producer").target(address));
        peer.expect_attach();
    }
    void attach_consumer(std::uint32_t credit = 10, std::uint32_t handle = consumer) {
        auto frame = peer::attach(codec::Role::receiver, handle, "consumer" + std::to_string(handle));
        peer.send(frame.source("unicast.q"));
        peer.expect_attach();
        if (credit > 0) peer.send(peer::flow().handle(handle).delivery_count(0).link_credit(credit));
    }

    /// The next transfer on a link, with the message in it.
    peer::TransferFrame transfer(std::uint32_t handle, const Message& message) {
        const std::uint32_t id = next_id++;
        return peer::transfer(handle).delivery_id(id).delivery_tag("t" + std::to_string(id)).message(message);
    }
    template <class Body>
    static Message body(const Body& composite) {
        return Message(codec::decode_as<codec::Value>(codec::encode_as(composite).span()).value());
    }
    /// Returns the delivery-id.
    std::uint32_t ask_discharge(const codec::Binary& id, bool fail, std::uint32_t handle = control) {
        peer.send(transfer(handle, body(codec::Discharge{id, fail})));
        return next_id - 1;
    }
    codec::Binary declare(std::uint32_t handle = control) {
        peer.send(transfer(handle, body(codec::Declare{})));
        const auto state = outcome(next_id - 1);
        REQUIRE(std::holds_alternative<codec::Declared>(state));
        return std::get<codec::Declared>(state).txn_id;
    }
    void discharge(const codec::Binary& id, bool fail, std::uint32_t handle = control) {
        CHECK(outcome(ask_discharge(id, fail, handle)) == codec::DeliveryState(codec::Accepted{}));
    }
    /// Posts unsettled, and returns the state that the broker answered with.
    codec::DeliveryState post(const Message& message, std::optional<codec::Binary> id) {
        auto frame = transfer(producer, message);
        if (id) frame.state(codec::TransactionalState{*id, {}});
        peer.send(frame);
        return outcome(next_id - 1);
    }
    void post_settled(const Message& message, const codec::Binary& id) {
        peer.send(transfer(producer, message).settled().state(codec::TransactionalState{id, {}}));
    }
    /// What the broker says of a delivery of ours.
    codec::DeliveryState outcome(std::uint32_t delivery) {
        while (!outcomes.contains(delivery)) {
            const auto frame = peer.expect_disposition();
            if (frame->role == codec::Role::sender) {
                settled_by_broker.push_back(frame->first);
                continue;
            }
            for (std::uint32_t id = frame->first; id <= frame->last.value_or(frame->first); ++id) {
                outcomes[id] = frame->state.value();
                order.push_back(id);
            }
        }
        return outcomes.at(delivery);
    }
    void answer(std::uint32_t delivery, const codec::Binary& id, codec::Outcome what, bool settled = false) {
        auto frame = peer::disposition(codec::Role::receiver, delivery);
        peer.send(frame.settled(settled).state(codec::TransactionalState{id, std::move(what)}));
    }
    std::size_t waiting() const {
        const auto status = world.node("unicast.q");
        return status ? status->messages : 0;
    }

    World world;
    testing::StreamChannel channel{world.reactor, world.broker->connect_in_process()};
    peer::Peer peer{channel};
    std::uint32_t next_id = 0;
    std::map<std::uint32_t, codec::DeliveryState> outcomes;
    std::vector<std::uint32_t> order;
    std::vector<std::uint32_t> settled_by_broker;
};

inline codec::DeliveryState within(const codec::Binary& id, std::optional<codec::Outcome> outcome = {}) {
    return codec::TransactionalState{id, std::move(outcome)};
}

/// The condition of a rejection, inside of a transaction or outside.
inline std::string rejection(const codec::DeliveryState& state) {
    const auto* const plain = std::get_if<codec::Rejected>(&state);
    return plain != nullptr && plain->error ? std::string(plain->error->condition.view()) : "not rejected";
}

}  // namespace aprotic::engine
