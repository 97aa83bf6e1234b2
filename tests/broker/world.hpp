#pragma once

#include <catch2/catch.hpp>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <aprotic/codec/message.hpp>
#include <aprotic/engine/broker.hpp>
#include <aprotic/engine/container.hpp>

#include "sim/sim_reactor.hpp"

namespace aprotic::engine {

using namespace std::chrono_literals;

/// Receives, and either answers at once or keeps what came.
struct Inbox final : ReceiverHandler {
    void on_message(Receiver&, Delivery& delivery) override {
        texts.push_back(std::string(delivery.message().body_text().value_or("")));
        settled.push_back(delivery.is_settled());
        octets.push_back(delivery.payload());
        if (accepts)
            delivery.accept();
        else
            kept.push_back(std::move(delivery));
    }
    void on_close(Receiver&, const std::optional<Failure>& why) override {
        closed = true;
        failure = why;
    }

    bool accepts = true;
    std::vector<std::string> texts;
    std::vector<bool> settled;
    std::vector<codec::ByteChain> octets;
    std::vector<Delivery> kept;
    bool closed = false;
    std::optional<Failure> failure;
};

struct Watcher final : SenderHandler {
    void on_close(Sender&, const std::optional<Failure>& why) override {
        closed = true;
        failure = why;
    }
    bool closed = false;
    std::optional<Failure> failure;
};

/// A broker and its clients in virtual time.
struct World {
    explicit World(BrokerOptions options = {}) : broker(std::in_place, house, std::move(options)) {}

    Connection connect(ConnectionOptions options = {}) {
        return clients.adopt(broker->connect_in_process(), false, std::move(options));
    }
    Connection& common() {
        if (!common_) common_ = connect();
        return common_;
    }

    Sender sender(const std::string& address) { return settle(common().open_sender(address)); }
    Sender sender(const Connection& on, const std::string& address, std::shared_ptr<Watcher> handler) {
        return settle(on.open_sender(address, {}, std::move(handler)));
    }
    Receiver receiver(const std::string& address, std::shared_ptr<Inbox> inbox, ReceiverOptions options = {}) {
        return receiver(common(), address, std::move(inbox), std::move(options));
    }
    Receiver receiver(const Connection& on, const std::string& address, std::shared_ptr<Inbox> inbox,
                      ReceiverOptions options = {}) {
        return settle(on.open_receiver(address, std::move(options), std::move(inbox)));
    }

    /// Lets everything happen that is due now; memory streams take no time.
    void settle() { reactor.settle(); }
    template <class T>
    T settle(T endpoint) {
        reactor.settle();
        return endpoint;
    }

    Outcome send(const Sender& sender, const Message& message) {
        const Tracker tracker = sender.send(message);
        REQUIRE(reactor.run_until([&] { return tracker.outcome().has_value(); }, 5s));
        return *tracker.outcome();
    }
    void send_all(const Sender& sender, std::initializer_list<const char*> texts) {
        for (const char* text : texts) REQUIRE(send(sender, Message(text)).accepted());
    }

    std::optional<NodeStatus> node(std::string_view address) const {
        for (auto& status : broker->nodes())
            if (status.address == address) return status;
        return std::nullopt;
    }

    sim::SimReactor reactor{7};
    Container house{reactor, "house"};
    std::optional<Broker> broker;
    Container clients{reactor, "clients"};

private:
    Connection common_;
};

inline codec::Header header_of(const codec::ByteChain& octets) { return codec::MessageView(octets).header(); }

using Texts = std::vector<std::string>;

}  // namespace aprotic::engine
