#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include <asio/io_context.hpp>
#include <asio/steady_timer.hpp>
#include <catch2/catch.hpp>

#include <aprotic/engine/asio_reactor.hpp>
#include <aprotic/engine/container.hpp>

#include "support/alloc_counter.hpp"

// What a message costs once messages flow: through both ends of a connection over TCP, all in one thread, so that the
// counters see all of it. The kernel's copies are its own.

using namespace aprotic;
using namespace aprotic::engine;
using namespace std::chrono_literals;

namespace {

struct Cost {
    std::uint64_t allocations = 0;
    std::uint64_t octets_copied = 0;
};

/// Sends `window` messages, waits for all outcomes, and again.
class Flow {
public:
    Flow(std::size_t body, std::size_t window, bool settled)
        : body_(body), window_(window), settled_(settled), server_(reactor_, "server"), client_(reactor_, "client") {
        message_ = codec::encode(codec::Message(std::string(body, 'x')));
    }

    /// Per message, once `warm` messages have passed.
    Cost cost(std::uint64_t warm, std::uint64_t counted) {
        warm_ = warm;
        end_ = warm + counted;
        asio::steady_timer late(io_, 60s);
        late.async_wait([this](const std::error_code& error) {
            if (!error) io_.stop();
        });
        reactor_.post([this] { begin(); });
        io_.run();
        REQUIRE(result_);
        CHECK(received_octets_ == counted * message_.size());
        connection_.close();
        listener_ = {};
        late.cancel();
        io_.restart();
        io_.run();
        return *result_;
    }

private:
    struct Peer final : ConnectionHandler {
        struct In final : ReceiverHandler {
            explicit In(Flow& to) : flow(to) {}
            void on_message(Receiver&, Delivery& delivery) override {
                flow.received_octets_ += delivery.payload().size();
                delivery.accept();
                ++flow.received_;
                flow.go_on();
            }
            Flow& flow;
        };
        explicit Peer(Flow& to) : flow(to) {}
        void on_receiver_requested(Connection&, LinkRequest request) override {
            request.accept_receiver({.credit = 1000}, std::make_shared<In>(flow));
        }
        Flow& flow;
    };

    void begin() {
        auto listener =
            server_.listen({.host = "127.0.0.1", .port = 0}, {}, [this] { return std::make_shared<Peer>(*this); });
        if (!listener) FAIL(listener.error().message());
        listener_ = *listener;
        connection_ = client_.connect("amqp://" + listener_.address().to_string());
        sender_ = connection_.open_sender("node");
        next();
    }

    void next() {
        if (sent_ >= end_) {
            result_ = Cost{scope_->count(), codec::copy_count().bytes};
            return io_.stop();
        }
        if (sent_ >= warm_ && !scope_) {
            received_octets_ = 0;
            codec::reset_copy_count();
            scope_.emplace();
        }
        SendParameters parameters;
        parameters.settled = settled_;
        for (std::size_t i = 1; i < window_; ++i) sender_.send(message_, parameters);
        sent_ += window_;
        sender_.send(message_, parameters).on_done([this](const Outcome&) {
            has_outcome_ = true;
            go_on();
        });
    }

    /// What is sent settled has its outcome before it has come.
    void go_on() {
        if (!has_outcome_ || received_ < sent_) return;
        has_outcome_ = false;
        next();
    }

    const std::size_t body_;
    const std::size_t window_;
    const bool settled_;
    asio::io_context io_;
    AsioReactor reactor_{io_};
    Container server_;
    Container client_;
    Listener listener_;
    Connection connection_;
    Sender sender_;
    codec::EncodedMessage message_;
    std::uint64_t sent_ = 0;
    std::uint64_t warm_ = 0;
    std::uint64_t end_ = 0;
    std::uint64_t received_ = 0;
    std::uint64_t received_octets_ = 0;
    bool has_outcome_ = false;  ///< the last of a window
    std::optional<test::AllocationScope> scope_;
    std::optional<Cost> result_;
};

}  // namespace

TEST_CASE("messages of 100 octets flow without an allocation, each copied once beside its header") {
    const bool settled = GENERATE(false, true);
    CAPTURE(settled);
    const Cost cost = Flow(100, 50, settled).cost(5'000, 5'000);
    CHECK(cost.allocations == 0);
    CHECK(cost.octets_copied <= 5'000 * 130);
}

TEST_CASE("messages of 64 KiB flow without an allocation and without a copy") {
    const bool settled = GENERATE(false, true);
    CAPTURE(settled);
    const std::uint64_t octets = 500 * 65'536;
    const Cost cost = Flow(65'536, 10, settled).cost(500, 500);
    CHECK(cost.allocations == 0);
    CHECK(cost.octets_copied <= octets / 100);  // pieces of frames that end between two reads
}
