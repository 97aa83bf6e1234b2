#pragma once

#include <algorithm>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include <aprotic/engine/container.hpp>
#include <aprotic/engine/memory_stream.hpp>

#include "sim/sim_reactor.hpp"

namespace aprotic::engine::test {

using namespace std::chrono_literals;

/// Records what happens to a connection, in order, and answers requests as it is told to.
struct ConnectionLog : ConnectionHandler {
    void on_open(Connection&) override {
        events.push_back("open");
        if (when_open) when_open();
    }
    void on_remote_close(Connection&, const std::optional<codec::ErrorCondition>& error) override {
        events.push_back("remote close");
        remote_error = error;
    }
    void on_remote_end(Connection&, const std::optional<codec::ErrorCondition>& error) override {
        events.push_back("remote end");
        remote_error = error;
    }
    void on_close(Connection&, const std::optional<Failure>& why) override {
        events.push_back("close");
        failure = why;
    }
    void on_sender_requested(Connection&, LinkRequest request) override {
        events.push_back("sender requested");
        if (take_sender) return take_sender(std::move(request));
        requests.push_back(std::move(request));
    }
    void on_receiver_requested(Connection&, LinkRequest request) override {
        events.push_back("receiver requested");
        if (take_receiver) return take_receiver(std::move(request));
        requests.push_back(std::move(request));
    }

    std::vector<std::string> events;
    std::optional<codec::ErrorCondition> remote_error;
    std::optional<Failure> failure;
    std::vector<LinkRequest> requests;
    std::function<void(LinkRequest)> take_sender;
    std::function<void(LinkRequest)> take_receiver;
    std::function<void()> when_open;
};

struct SenderLog : SenderHandler {
    void on_open(Sender&) override { events.push_back("open"); }
    void on_credit(Sender& sender) override {
        events.push_back("credit");
        if (when_credit) when_credit(sender);
    }
    void on_drain(Sender& sender) override {
        events.push_back("drain");
        if (when_drain) when_drain(sender);
    }
    void on_remote_close(Sender&, const std::optional<codec::ErrorCondition>& error) override {
        events.push_back("remote close");
        remote_error = error;
    }
    void on_close(Sender&, const std::optional<Failure>& why) override {
        events.push_back("close");
        failure = why;
    }

    std::vector<std::string> events;
    std::optional<codec::ErrorCondition> remote_error;
    std::optional<Failure> failure;
    std::function<void(Sender&)> when_credit;
    std::function<void(Sender&)> when_drain;
};

/// Keeps what it gets; or does as `when_message` says.
struct ReceiverLog : ReceiverHandler {
    void on_open(Receiver&) override { events.push_back("open"); }
    void on_message(Receiver& receiver, Delivery& delivery) override {
        texts.push_back(std::string(delivery.message().body_text().value_or("?")));
        if (when_message) return when_message(receiver, delivery);
        kept.push_back(std::move(delivery));
    }
    void on_drained(Receiver&) override { events.push_back("drained"); }
    void on_remote_close(Receiver&, const std::optional<codec::ErrorCondition>& error) override {
        events.push_back("remote close");
        remote_error = error;
    }
    void on_close(Receiver&, const std::optional<Failure>& why) override {
        events.push_back("close");
        failure = why;
    }

    std::vector<std::string> events;
    std::vector<std::string> texts;
    std::vector<Delivery> kept;
    std::optional<codec::ErrorCondition> remote_error;
    std::optional<Failure> failure;
    std::function<void(Receiver&, Delivery&)> when_message;
};

using Events = std::vector<std::string>;

inline int count(const Events& events, const std::string& what) {
    return static_cast<int>(std::count(events.begin(), events.end(), what));
}

/// Another stream, as it is: for those that look at what passes, or disturb it.
class ForwardingStream : public Stream {
public:
    explicit ForwardingStream(std::unique_ptr<Stream> inner) : inner_(std::move(inner)) {}
    void read(std::span<std::byte> into, Completion done) override { inner_->read(into, std::move(done)); }
    void write(std::span<const codec::ConstBuffer> from, Completion done) override {
        inner_->write(from, std::move(done));
    }
    void shutdown_write() override { inner_->shutdown_write(); }
    void close() override { inner_->close(); }
    std::string peer_name() const override { return inner_->peer_name(); }
    bool is_private() const override { return inner_->is_private(); }

protected:
    std::unique_ptr<Stream> inner_;
};

/// Two containers in one simulated world, joined by a connection in memory.
struct Pair {
    explicit Pair(ConnectionOptions client_options = {}, ConnectionOptions server_options = {}) {
        auto [near, far] = make_memory_streams(reactor);
        server = server_container.adopt(std::move(far), true, std::move(server_options), server_log);
        client = client_container.adopt(std::move(near), false, std::move(client_options), client_log);
    }
    ~Pair() { reactor.settle(); }

    /// Whatever the peer wants, it gets: messages end in `server_receiver`, and `server_sender` sends.
    void accept_all(std::uint32_t credit = 100) {
        server_log->take_sender = [this](LinkRequest request) {
            server_sender = request.accept_sender({}, server_sender_log);
        };
        server_log->take_receiver = [this, credit](LinkRequest request) {
            server_receiver = request.accept_receiver({.credit = credit}, server_receiver_log);
        };
    }
    void settle() { reactor.settle(); }

    sim::SimReactor reactor;
    Container client_container{reactor, "client"};
    Container server_container{reactor, "server"};
    std::shared_ptr<ConnectionLog> client_log = std::make_shared<ConnectionLog>();
    std::shared_ptr<ConnectionLog> server_log = std::make_shared<ConnectionLog>();
    std::shared_ptr<SenderLog> server_sender_log = std::make_shared<SenderLog>();
    std::shared_ptr<ReceiverLog> server_receiver_log = std::make_shared<ReceiverLog>();
    Connection client;
    Connection server;
    Sender server_sender;
    Receiver server_receiver;
};

inline codec::ErrorCondition some_error(const char* condition = "app:no", const char* text = "because") {
    return {.condition = condition, .description = text, .info = {{codec::Symbol("key"), codec::Value("value")}}};
}

}  // namespace aprotic::engine::test
