// The program under test: it hands an order to a broker, and once more where it may not have arrived.
#pragma once

#include <chrono>
#include <string>

#include <aprotic/codec/message.hpp>
#include <aprotic/engine/container.hpp>

class Courier {
public:
    Courier(aprotic::engine::Container& container, std::string url) : container_(container), url_(std::move(url)) {}

    void deliver(const std::string& order) {
        message_ = aprotic::codec::Message(order);
        message_.ensure_properties().message_id = aprotic::codec::MessageId("order-1");
        attempt();
    }

    std::string state = "idle";
    int attempts = 0;

private:
    void attempt() {
        using namespace std::chrono_literals;
        ++attempts;
        state = "sending";
        connection_ = container_.connect(url_);
        sender_ = connection_.open_sender("orders");
        sender_.async_send(message_, 10s).then([this](const auto& result) {
            using Kind = aprotic::engine::Outcome::Kind;
            connection_.close();
            if (result && result->accepted()) {
                state = "delivered";
            } else if (result && result->failure && result->failure->condition) {
                state = "refused: " + result->failure->condition->condition.str();
            } else if (result && result->kind == Kind::rejected) {
                state = "rejected";
            } else if (attempts == 3) {
                state = "given up";
            } else {
                // The broker knows the order by its message-id, should it have been taken after all.
                state = "waiting";
                auto& reactor = container_.reactor();
                reactor.start_timer(reactor.now() + 5s, [this] { attempt(); });
            }
        });
    }

    aprotic::engine::Container& container_;
    std::string url_;
    aprotic::codec::Message message_;
    aprotic::engine::Connection connection_;
    aprotic::engine::Sender sender_;
};
