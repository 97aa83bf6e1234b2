// What a message, a call, a connection and a link cost, in numbers that do not depend on what else the machine does:
// allocations, octets copied, system calls, octets of memory. check.py compares them with baseline.txt.

#include <asio/io_context.hpp>
#include <asio/steady_timer.hpp>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <aprotic/engine/asio_reactor.hpp>
#include <aprotic/engine/container.hpp>
#include <aprotic/engine/memory_stream.hpp>

#include "budget/system_calls.hpp"
#include "sim/sim_reactor.hpp"
#include "support/alloc_counter.hpp"

using namespace aprotic;
using namespace aprotic::engine;
using namespace std::chrono_literals;

namespace {

[[noreturn]] void fail(const std::string& why) {
    std::fprintf(stderr, "%s\n", why.c_str());
    std::exit(1);
}

void tell(const std::string& name, double value) { std::printf("%s %.3f\n", name.c_str(), value); }

/// All that is counted, so far.
struct Counts {
    static Counts now() { return {test::allocations(), codec::copy_count().bytes, test::system_calls()}; }
    std::uint64_t allocations;
    std::uint64_t copied;
    std::uint64_t system_calls;
};

/// Both ends of a connection over TCP in one thread, so that the counters see all of it. `work` messages or calls at a
/// time.
class Flow {
public:
    Flow(std::string name, std::size_t body, std::size_t window, bool settled, bool echo)
        : name_(std::move(name)),
          window_(window),
          settled_(settled),
          echo_(echo),
          text_(body, 'x'),
          message_(codec::encode(codec::Message(text_))) {}

    void run(std::uint64_t warm, std::uint64_t counted) {
        warm_ = warm;
        end_ = warm + counted;
        asio::steady_timer late(io_, 60s);
        late.async_wait([](const std::error_code& error) {
            if (!error) fail("nothing has come for a minute");
        });
        reactor_.post([this] { begin(); });
        io_.run();
        const auto count = static_cast<double>(counted);
        tell("allocations-" + name_, static_cast<double>(after_->allocations - before_->allocations) / count);
        tell("copied-octets-" + name_, static_cast<double>(after_->copied - before_->copied) / count);
        tell("system-calls-" + name_, static_cast<double>(after_->system_calls - before_->system_calls) / count);
        connection_.close();
        listener_ = {};
        late.cancel();
        io_.restart();
        io_.run();
    }

private:
    /// What the server takes, and the replies that come back to the client.
    struct In final : ReceiverHandler {
        explicit In(Flow& to, bool server) : flow(to), at_server(server) {}
        void on_open(Receiver&) override {
            if (!at_server) flow.begin_when_open();
        }
        void on_message(Receiver&, Delivery& delivery) override {
            if (at_server && flow.echo_) flow.answer(delivery);
            delivery.accept();
            if (!at_server) flow.count_reply();
        }
        Flow& flow;
        const bool at_server;
    };
    struct Peer final : ConnectionHandler {
        void on_close(Connection&, const std::optional<Failure>& why) override {
            if (why && why->code != Errc::closed_by_peer) fail(why->message());
        }
        explicit Peer(Flow& to) : flow(to) {}
        void on_receiver_requested(Connection&, LinkRequest request) override {
            request.accept_receiver({.credit = 1000}, std::make_shared<In>(flow, true));
        }
        void on_sender_requested(Connection&, LinkRequest request) override { flow.replies_ = request.accept_sender(); }
        Flow& flow;
    };

    void begin() {
        auto listener =
            server_.listen({.host = "127.0.0.1", .port = 0}, {}, [this] { return std::make_shared<Peer>(*this); });
        if (!listener) fail(listener.error().message());
        listener_ = *listener;
        connection_ = client_.connect("amqp://" + listener_.address().to_string());
        sender_ = connection_.open_sender("node");
        if (!echo_) return next();
        connection_.open_receiver("replies", {.credit = 1000}, std::make_shared<In>(*this, false));
    }
    void begin_when_open() { next(); }

    void next() {
        if (sent_ >= end_) {
            after_ = Counts::now();
            return io_.stop();
        }
        if (sent_ >= warm_ && !before_) {
            codec::reset_copy_count();
            before_ = Counts::now();
        }
        SendParameters parameters;
        parameters.settled = settled_;
        for (std::size_t i = 0; i < window_; ++i) {
            ++sent_;
            if (echo_) {
                codec::Message request = codec::Message::data(text_);
                request.ensure_properties().message_id = sent_;
                request.ensure_properties().reply_to = "replies";
                sender_.send(request, parameters);
            } else {
                const Tracker tracker = sender_.send(message_, parameters);
                if (i + 1 == window_) tracker.on_done([this](const Outcome&) { next(); });
            }
        }
    }
    void answer(Delivery& delivery) {
        codec::Message reply;
        reply.body = codec::Message::Data{delivery.message().body_data().value().contiguous()};
        auto& properties = reply.ensure_properties();
        properties.to = std::string(delivery.message().reply_to().value());
        properties.correlation_id = codec::to_owned(delivery.message().message_id().value());
        replies_.send(reply);
    }
    void count_reply() {
        if (++replied_ % window_ == 0) next();
    }

    const std::string name_;
    const std::size_t window_;
    const bool settled_;
    const bool echo_;
    const std::string text_;
    asio::io_context io_;
    AsioReactor reactor_{io_};
    Container server_{reactor_, "server"};
    Container client_{reactor_, "client"};
    Listener listener_;
    Connection connection_;
    Sender sender_;
    Sender replies_;
    const codec::EncodedMessage message_;
    std::uint64_t sent_ = 0;
    std::uint64_t replied_ = 0;
    std::uint64_t warm_ = 0;
    std::uint64_t end_ = 0;
    std::optional<Counts> before_;
    std::optional<Counts> after_;
};

/// Idle connections over streams in memory, and links on one of them; octets of one end.
void measure_memory() {
    struct Taker final : ReceiverHandler {
        void on_message(Receiver&, Delivery& delivery) override { delivery.accept(); }
    };
    struct Taking final : ConnectionHandler {
        void on_receiver_requested(Connection&, LinkRequest request) override {
            request.accept_receiver({.credit = 10}, taker);
            ++accepted;
        }
        std::shared_ptr<ReceiverHandler> taker = std::make_shared<Taker>();
        int accepted = 0;
    };
    sim::SimReactor reactor;
    Container container(reactor, "container");
    const auto taking = std::make_shared<Taking>();
    std::vector<Connection> connections;
    const auto connect = [&](int count) {
        for (int i = 0; i < count; ++i) {
            auto [near, far] = make_memory_streams(reactor);
            connections.push_back(container.adopt(std::move(far), true, {}, taking));
            connections.push_back(container.adopt(std::move(near), false, {}));
        }
        reactor.settle();
    };
    connections.reserve(2000);
    connect(10);
    std::uint64_t before = test::live_octets();
    connect(100);
    tell("octets-of-a-connection", static_cast<double>(test::live_octets() - before) / 200);

    std::vector<Sender> senders;
    senders.reserve(2000);
    const auto open = [&](int count) {
        for (int i = 0; i < count; ++i) senders.push_back(connections.back().open_sender("node"));
        reactor.settle();
    };
    open(10);
    before = test::live_octets();
    for (int i = 0; i < 900; i += 10) open(10);  // not all at once: what a burst leaves in queues belongs to no link
    if (taking->accepted != 910) fail("not all links were accepted");
    tell("octets-of-a-link", static_cast<double>(test::live_octets() - before) / 1800);
}

}  // namespace

int main() {
    Flow("100-unsettled", 100, 50, false, false).run(5000, 5000);
    Flow("100-settled", 100, 50, true, false).run(5000, 5000);
    Flow("65536-unsettled", 65536, 10, false, false).run(500, 500);
    Flow("65536-settled", 65536, 10, true, false).run(500, 500);
    Flow("call-1", 100, 1, false, true).run(1000, 1000);
    Flow("call-64", 100, 64, false, true).run(6400, 6400);
    measure_memory();
}
