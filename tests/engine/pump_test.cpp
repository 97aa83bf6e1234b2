#include "engine/pair.hpp"

#include <aprotic/engine/io/pump.hpp>

using namespace aprotic;
using namespace aprotic::engine;
using namespace aprotic::engine::test;

namespace {

/// A stream that counts its writes.
class CountingStream final : public ForwardingStream {
public:
    CountingStream(std::unique_ptr<Stream> inner, int& writes) : ForwardingStream(std::move(inner)), writes_(writes) {}
    void write(std::span<const codec::ConstBuffer> from, Completion done) override {
        ++writes_;
        inner_->write(from, std::move(done));
    }

private:
    int& writes_;
};

/// A server on the bare engine, for what the event layer never does by itself.
struct BareServer : io::Pump::Client {
    static std::shared_ptr<BareServer> on(Reactor& reactor, std::unique_ptr<Stream> stream) {
        auto server = std::make_shared<BareServer>();
        ConnectionOptions options;
        options.container_id = "bare";
        server->pump = std::make_shared<io::Pump>(reactor, Engine(EngineRole::server, options, reactor.now(), 1),
                                                  std::move(stream), std::weak_ptr<io::Pump::Client>(server));
        server->pump->wake();
        return server;
    }
    void on_event(Event& event) override {
        if (std::get_if<ConnectionOpened>(&event)) CHECK(pump->engine().open());
        if (const auto* opened = std::get_if<SessionOpened>(&event)) session = opened->session;
        if (const auto* requested = std::get_if<LinkRequested>(&event)) {
            LinkOptions options;
            options.source = requested->remote.source;
            options.target = requested->remote.target;
            CHECK(pump->engine().accept(requested->link, options));
            links.push_back(requested->link);
        }
        if (std::get_if<DeliveryReceived>(&event)) ++deliveries;
        if (std::get_if<ConnectionEnded>(&event)) ended = true;
        pump->wake();
    }
    void on_events_done() override {}
    void on_finished() override { finished = true; }

    std::shared_ptr<io::Pump> pump;
    std::optional<SessionId> session;
    std::vector<LinkId> links;
    int deliveries = 0;
    bool ended = false;
    bool finished = false;
};

/// A stream whose owner reads nothing until it is released, and which says how much was read before each write.
class HeldStream final : public ForwardingStream {
public:
    struct Seen {
        bool can_try = true;
        int breaks_at = 0;                     ///< the stream, when it is tried so often
        std::size_t read = 0;                  ///< since the last write
        std::vector<std::size_t> read_before;  ///< each write
        std::function<void()> release;
    };

    HeldStream(std::unique_ptr<Stream> inner, std::shared_ptr<Seen> seen)
        : ForwardingStream(std::move(inner)), seen_(std::move(seen)) {}
    void hold() {
        held_ = true;
        seen_->release = [this] {
            held_ = false;
            if (done_) read(into_, std::exchange(done_, nullptr));
        };
    }
    void read(std::span<std::byte> into, Completion done) override {
        if (held_) {
            into_ = into;
            done_ = std::move(done);
            return;
        }
        inner_->read(into, [seen = seen_, done = std::move(done)](std::error_code error, std::size_t n) mutable {
            seen->read += n;
            done(error, n);
        });
    }
    std::optional<Read> try_read(std::span<std::byte> into) override {
        if (held_ || !seen_->can_try) return std::nullopt;
        if (seen_->breaks_at > 0 && --seen_->breaks_at == 0)
            return Read{std::make_error_code(std::errc::connection_reset), 0};
        const auto read = inner_->try_read(into);
        if (read) seen_->read += read->size;
        return read;
    }
    void write(std::span<const codec::ConstBuffer> from, Completion done) override {
        seen_->read_before.push_back(std::exchange(seen_->read, 0));
        inner_->write(from, std::move(done));
    }

private:
    std::shared_ptr<Seen> seen_;
    bool held_ = false;
    std::span<std::byte> into_;
    Completion done_;
};

/// A client whose large messages have all come to the server before it reads any of them.
struct LargeMessages {
    static constexpr std::size_t size = 64 * 1024;
    static constexpr std::size_t three = 3 * (size + 100);  // with what surrounds them
    static constexpr std::uint32_t count = 64;

    explicit LargeMessages(std::uint32_t credit = 1000) {
        auto [near, far] = make_memory_streams(reactor, 2 * count * size);
        auto held = std::make_unique<HeldStream>(std::move(far), seen);
        HeldStream& stream = *held;
        server_log->take_receiver = [this, credit](LinkRequest request) {
            request.accept_receiver({.credit = credit}, receiver_log);
        };
        receiver_log->when_message = [this](Receiver&, Delivery& delivery) {
            if (when_message) when_message();
            delivery.accept();
        };
        server = server_container.adopt(std::move(held), true, {}, server_log);
        client = client_container.adopt(std::move(near), false, {}, client_log);
        sender = client.open_sender("to");
        reactor.settle();
        stream.hold();
        for (std::uint32_t i = 0; i < count; ++i) {
            sender.send(std::string(size, 'x')).on_done([this](const Outcome& outcome) {
                if (outcome.kind == Outcome::Kind::accepted) ++accepted;
            });
        }
        reactor.settle();
        seen->read_before.clear();
    }
    ~LargeMessages() { reactor.settle(); }

    sim::SimReactor reactor;
    Container server_container{reactor, "server"};
    Container client_container{reactor, "client"};
    std::shared_ptr<ConnectionLog> server_log = std::make_shared<ConnectionLog>();
    std::shared_ptr<ConnectionLog> client_log = std::make_shared<ConnectionLog>();
    std::shared_ptr<ReceiverLog> receiver_log = std::make_shared<ReceiverLog>();
    std::shared_ptr<HeldStream::Seen> seen = std::make_shared<HeldStream::Seen>();
    std::function<void()> when_message;
    Connection server;
    Connection client;
    Sender sender;
    std::uint32_t accepted = 0;
};

struct BarePair {
    BarePair() {
        auto [near, far] = make_memory_streams(reactor);
        server = BareServer::on(reactor, std::move(far));
        client = container.adopt(std::make_unique<CountingStream>(std::move(near), writes), false, {}, log);
    }

    sim::SimReactor reactor;
    Container container{reactor, "client"};
    std::shared_ptr<ConnectionLog> log = std::make_shared<ConnectionLog>();
    std::shared_ptr<BareServer> server;
    Connection client;
    int writes = 0;
};

}  // namespace

TEST_CASE("commands of one turn leave in one write") {
    BarePair pair;
    const Sender sender = pair.client.open_sender("to");
    pair.reactor.settle();
    REQUIRE(pair.server->links.size() == 1);
    static_cast<void>(pair.server->pump->engine().set_credit(pair.server->links[0], 100));
    pair.server->pump->wake();
    pair.reactor.settle();
    pair.writes = 0;
    for (int i = 0; i < 20; ++i) sender.send("m");
    pair.client.open_receiver("from");
    CHECK(pair.writes == 0);
    pair.reactor.settle();
    CHECK(pair.writes == 1);
}

TEST_CASE("the peer begins with what a handler has sent while it goes on") {
    BarePair pair;
    const auto handler = std::make_shared<SenderLog>();
    int writes_in_handler = 0;
    handler->when_credit = [&](Sender& sender) {
        pair.writes = 0;
        const codec::EncodedMessage message = codec::encode_data(std::string(100, 'x'));
        for (int i = 0; i < 1000; ++i) sender.send(message);
        writes_in_handler = pair.writes;
    };
    const Sender sender = pair.client.open_sender("to", {}, handler);
    pair.reactor.settle();
    REQUIRE(pair.server->links.size() == 1);
    static_cast<void>(pair.server->pump->engine().set_credit(pair.server->links[0], 1000));
    pair.server->pump->wake();
    pair.reactor.settle();
    CHECK(writes_in_handler == 1);  // whose stream has not said yet that it is written
    CHECK(pair.server->deliveries == 1000);
}

TEST_CASE("answers to the first of many messages leave while the others are handled") {
    BarePair pair;
    const auto log = std::make_shared<ReceiverLog>();
    const Sender sender = pair.client.open_sender("to");
    const bool answers = GENERATE(true, false);
    std::vector<int> writes;
    log->when_message = [&](Receiver&, Delivery& delivery) {
        if (answers) sender.send("answer");
        delivery.accept();
        writes.push_back(pair.writes);
    };
    const Receiver receiver = pair.client.open_receiver("from", {.credit = 1000}, log);
    pair.reactor.settle();
    REQUIRE(pair.server->links.size() == 2);
    Engine& engine = pair.server->pump->engine();
    static_cast<void>(engine.set_credit(pair.server->links[0], 1000));
    pair.server->pump->wake();
    pair.reactor.settle();
    // The first make room for the others to be read at once.
    for (const std::size_t count : {400U, 40U}) {
        for (std::size_t i = 0; i < count; ++i)
            CHECK(engine.send(pair.server->links[1], codec::encode_data(std::string_view("m"))));
        writes.clear();
        pair.writes = 0;
        pair.server->pump->wake();
        pair.reactor.settle();
        REQUIRE(writes.size() == count);
    }
    CHECK(writes.front() == 0);
    CHECK(writes.back() == (answers ? 1 : 0));  // outcomes alone have time until the end of the turn
    CHECK(pair.writes >= 1);
}

TEST_CASE("when the peer ends a session its links end, and their messages, and the connection lives", "[2.5.5]") {
    BarePair pair;
    const auto sender_log = std::make_shared<SenderLog>();
    const auto receiver_log = std::make_shared<ReceiverLog>();
    const Sender sender = pair.client.open_sender("to", {}, sender_log);
    const Receiver receiver = pair.client.open_receiver("from", {}, receiver_log);
    const Tracker tracker = sender.send("no credit");
    pair.reactor.settle();
    REQUIRE(pair.server->session);
    CHECK(sender_log->events == Events{"open"});
    CHECK(pair.server->pump->engine().end(*pair.server->session, some_error()));
    pair.server->pump->wake();
    pair.reactor.settle();
    CHECK(sender_log->events == Events{"open", "close"});
    CHECK(receiver_log->events == Events{"open", "close"});
    REQUIRE(sender_log->failure);
    CHECK(sender_log->failure->code == Errc::ended_by_peer);
    CHECK(sender_log->failure->condition == some_error());
    CHECK(tracker.outcome()->kind == Outcome::Kind::not_sent);
    CHECK(pair.client.is_open());

    const auto again = std::make_shared<SenderLog>();  // the common session is begun anew
    pair.client.open_sender("to", {}, again);
    pair.reactor.settle();
    CHECK(again->events == Events{"open"});
}

TEST_CASE("a peer that only suspends a link is answered likewise, and the link is over", "[2.6.4]") {
    BarePair pair;
    const auto log = std::make_shared<SenderLog>();
    const Sender sender = pair.client.open_sender("to", {}, log);
    pair.reactor.settle();
    CHECK(pair.server->pump->engine().detach(pair.server->links.at(0), false));
    pair.server->pump->wake();
    pair.reactor.settle();
    CHECK(log->events == Events{"open", "remote close", "close"});
    CHECK(log->failure->code == Errc::suspended_by_peer);
    CHECK(pair.client.is_open());
}

TEST_CASE("a cut stream ends the engine and finishes the pump once") {
    BarePair pair;
    pair.reactor.settle();
    pair.server->pump->cut(std::make_error_code(std::errc::connection_reset));
    pair.server->pump->cut(std::make_error_code(std::errc::connection_reset));
    pair.reactor.settle();
    CHECK(pair.server->ended);
    CHECK(pair.server->finished);
    CHECK(pair.log->events == Events{"open", "close"});
    REQUIRE(pair.log->failure);
    CHECK(pair.log->failure->code == Errc::connection_lost);
}

TEST_CASE("outcomes of large messages are told several at a time while more of them is there to be read", "[2.6.12]") {
    LargeMessages flow;
    flow.seen->release();
    flow.reactor.settle();
    CHECK(flow.accepted == LargeMessages::count);  // the last ones too, though nothing came after them
    const auto& read = flow.seen->read_before;
    CHECK(read.size() <= LargeMessages::count / 4 + 1);
    // And no more than that: the sender hears of them before its window is used up.
    for (const std::size_t octets : read) CHECK(octets <= 512 * 1024);
}

TEST_CASE("an outcome does not wait where nobody can say whether more has come", "[2.6.12]") {
    LargeMessages flow;
    flow.seen->can_try = false;
    flow.seen->release();
    flow.reactor.settle();
    CHECK(flow.accepted == LargeMessages::count);
    for (const std::size_t octets : flow.seen->read_before) CHECK(octets <= LargeMessages::three);
}

TEST_CASE("an outcome does not wait for a handler that takes its time", "[2.6.12]") {
    LargeMessages flow;
    flow.when_message = [&] { flow.reactor.jump(2ms); };
    flow.seen->release();
    flow.reactor.run_for(1s);
    CHECK(flow.accepted == LargeMessages::count);
    for (const std::size_t octets : flow.seen->read_before) CHECK(octets <= LargeMessages::three);
}

TEST_CASE("credit does not wait for what is there to be read", "[2.6.7]") {
    LargeMessages flow(4);
    std::uint32_t handled = 0;
    flow.when_message = [&] { ++handled; };
    flow.seen->release();
    flow.reactor.settle();
    CHECK(handled == LargeMessages::count);
    CHECK(flow.accepted == LargeMessages::count);
    // With every second message, though the fourth is there too.
    for (const std::size_t octets : flow.seen->read_before) CHECK(octets <= LargeMessages::three);
}

TEST_CASE("a stream that breaks while it is read on ends the connection once, after what has come") {
    LargeMessages flow;
    flow.seen->breaks_at = 5;
    flow.seen->release();
    flow.reactor.settle();
    CHECK(flow.accepted == 0);
    CHECK_FALSE(flow.receiver_log->texts.empty());
    CHECK(flow.server_log->events == Events{"open", "receiver requested", "close"});
    REQUIRE(flow.server_log->failure);
    CHECK(flow.server_log->failure->code == Errc::connection_lost);
}
