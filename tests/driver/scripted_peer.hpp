#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <catch2/catch.hpp>

#include <aprotic/engine/connection.hpp>
#include <aprotic/engine/container.hpp>

#include "sim/sim_reactor.hpp"

namespace aprotic::test {

/// Somebody at amqp://peer who does with links and messages what a test says, and writes down what comes.
struct ScriptedPeer : std::enable_shared_from_this<ScriptedPeer> {
    struct Received {
        std::string address;
        codec::Message message;
        engine::Delivery delivery;

        std::string body() const { return *std::get<codec::Value>(message.body).get_if<std::string>(); }
    };

    // What it does.
    std::function<void(Received&)> on_message = [](Received& one) { one.delivery.accept(); };
    /// Of a link to this address, by either side; an error refuses it.
    std::function<std::optional<codec::ErrorCondition>(const std::string& address)> on_attach = {};
    std::uint32_t credit = 100;
    std::optional<std::uint64_t> message_size_max = {};
    std::shared_ptr<engine::TraceSink> trace = {};
    /// What it says of itself: properties and offered capabilities.
    codec::Open open = {};

    // What it has seen.
    std::vector<codec::Attach> attaches;
    std::vector<std::unique_ptr<Received>> received;
    std::vector<std::unique_ptr<Received>> lost;    ///< in a crash
    std::map<std::string, engine::Sender> senders;  ///< to our receivers, by address; the reply link is "reply-here"
    std::map<std::string, engine::Receiver> receivers;  ///< from our senders
    std::size_t connections = 0;

    explicit ScriptedPeer(sim::SimReactor& on) : reactor(on) {}
    void start() {
        container.emplace(reactor, "peer");
        engine::ConnectionOptions options;
        options.trace = trace;
        options.properties = open.properties;
        options.offered_capabilities = open.offered_capabilities;
        auto listening = container->listen({.host = "peer", .port = 5672}, std::move(options), [this] {
            ++connections;
            return std::make_shared<Handler>(weak_from_this());
        });
        REQUIRE(listening);
        listener = *listening;
    }
    /// Its connections are cut, and nobody listens any more.
    void crash() {
        listener = {};
        container.reset();
        senders.clear();
        receivers.clear();
        // Dropped now, what it had received would still be given back.
        for (auto& each : std::exchange(received, {})) lost.push_back(std::move(each));
    }
    /// As crash(), but not from inside of a callback.
    void crash_soon() {
        reactor.post([self = shared_from_this()] { self->crash(); });
    }
    /// Sends to our driver, where it has a link from `address`.
    engine::Tracker send(const std::string& address, const codec::Message& message) {
        REQUIRE(senders.contains(address));
        return senders[address].send(message);
    }
    engine::Tracker reply(const Received& request, const std::string& text) {
        codec::Message message(text);
        message.ensure_properties().correlation_id = request.message.properties->message_id;
        return send("reply-here", message);
    }
    engine::Tracker heartbeat(const Received& request) {
        codec::Message message;
        message.ensure_properties().correlation_id = request.message.properties->message_id;
        return send("reply-here", message);
    }
    std::size_t count(const std::string& address) const {
        return static_cast<std::size_t>(std::count_if(received.begin(), received.end(),
                                                      [&](const auto& each) { return each->address == address; }));
    }

    sim::SimReactor& reactor;
    std::optional<engine::Container> container;
    engine::Listener listener;

private:
    struct Incoming final : engine::ReceiverHandler {
        Incoming(std::weak_ptr<ScriptedPeer> owner, std::string at) : peer(std::move(owner)), address(std::move(at)) {}
        void on_message(engine::Receiver&, engine::Delivery& delivery) override {
            const auto alive = peer.lock();
            if (!alive) return;
            auto message = *delivery.message().to_message();
            alive->received.push_back(
                std::make_unique<Received>(Received{address, std::move(message), std::move(delivery)}));
            if (alive->on_message) alive->on_message(*alive->received.back());
        }
        std::weak_ptr<ScriptedPeer> peer;
        std::string address;
    };
    struct Handler final : engine::ConnectionHandler {
        explicit Handler(std::weak_ptr<ScriptedPeer> owner) : peer(std::move(owner)) {}
        void on_sender_requested(engine::Connection&, engine::LinkRequest request) override {
            const auto alive = peer.lock();
            if (!alive) return;
            alive->attaches.push_back(request.attach());
            engine::SenderOptions options;
            options.link.source = request.attach().source;
            if (request.wants_dynamic()) options.link.source->address = "reply-here";
            const std::string address = options.link.source->address.value_or("");
            if (alive->on_attach)
                if (auto why = alive->on_attach(address)) return request.refuse(*why);
            alive->senders[address] =
                request.accept_sender(std::move(options), std::make_shared<engine::SenderHandler>());
        }
        void on_receiver_requested(engine::Connection&, engine::LinkRequest request) override {
            const auto alive = peer.lock();
            if (!alive) return;
            alive->attaches.push_back(request.attach());
            const std::string address = request.address().value_or("");
            if (alive->on_attach)
                if (auto why = alive->on_attach(address)) return request.refuse(*why);
            engine::ReceiverOptions options;
            options.credit = alive->credit;
            options.link.message_size_max = alive->message_size_max;
            alive->receivers[address] =
                request.accept_receiver(std::move(options), std::make_shared<Incoming>(peer, address));
        }
        std::weak_ptr<ScriptedPeer> peer;
    };
};

}  // namespace aprotic::test
