// Links that are suspended and attached again, through the event layer. [2.6.13]
#include "engine/pair.hpp"

using namespace aprotic;
using namespace aprotic::engine;
using namespace aprotic::engine::test;

namespace {

/// A stream that can be lost, as its owner sees it.
class LosableStream final : public ForwardingStream {
public:
    using ForwardingStream::ForwardingStream;
    void lose() {
        inner_->close();
        if (reading_) std::exchange(reading_, nullptr)(std::make_error_code(std::errc::connection_reset), 0);
    }
    void read(std::span<std::byte> into, Completion done) override {
        reading_ = std::move(done);
        inner_->read(into,
                     [this](std::error_code error, std::size_t n) { std::exchange(reading_, nullptr)(error, n); });
    }

private:
    Completion reading_;
};

/// A world in which connections come and go, and whose server keeps what its links leave.
struct Resuming {
    Resuming() { connect(); }
    ~Resuming() { reactor.settle(); }

    void connect() { connect_from(client_container); }
    void connect_from(Container& container) {
        auto [near, far] = make_memory_streams(reactor);
        auto log = std::make_shared<ConnectionLog>();
        log->take_receiver = [this](LinkRequest request) {
            ReceiverOptions options{.credit = credit};
            options.link.resumable = true;
            options.link.suspended = std::exchange(server_left, nullptr);
            in_log = std::make_shared<ReceiverLog>();
            in_log->when_message = when_message;
            in = request.accept_receiver(options, in_log);
        };
        log->take_sender = [this](LinkRequest request) {
            SenderOptions options;
            options.link.resumable = true;
            options.link.suspended = std::exchange(server_left, nullptr);
            out = request.accept_sender(options);
        };
        auto losable = std::make_unique<LosableStream>(std::move(far));
        far_stream = losable.get();
        server = server_container.adopt(std::move(losable), true, {}, log);
        client = container.adopt(std::move(near), false);
    }
    /// The connection is lost between two frames.
    void cut() {
        far_stream->lose();
        reactor.run_for(1s);
        if (in) server_left = in.take_suspended();
        if (out) server_left = out.take_suspended();
    }
    Sender open_sender(std::shared_ptr<SuspendedLink> left = nullptr,
                       std::shared_ptr<SenderHandler> handler = nullptr) {
        SenderOptions options;
        options.link.name = "resumable";
        options.link.resumable = true;
        options.link.suspended = std::move(left);
        return client.open_sender("to", options, std::move(handler));
    }
    Receiver open_receiver(std::shared_ptr<SuspendedLink> left = nullptr) {
        return open_receiver(client, std::move(left));
    }
    static Receiver open_receiver(Connection& connection, std::shared_ptr<SuspendedLink> left) {
        ReceiverOptions options{.credit = 10};
        options.link.name = "resumable";
        options.link.resumable = true;
        options.link.suspended = std::move(left);
        return connection.open_receiver("from", options);
    }

    sim::SimReactor reactor;
    Container client_container{reactor, "client"}, server_container{reactor, "server"};
    LosableStream* far_stream = nullptr;
    Connection client, server;
    std::uint32_t credit = 10;
    std::function<void(Receiver&, Delivery&)> when_message;
    std::shared_ptr<ReceiverLog> in_log;
    Receiver in;
    Sender out;
    std::shared_ptr<SuspendedLink> server_left;
};

}  // namespace

TEST_CASE("a tracker survives a lost connection and ends when its link is attached again", "[2.6.13-a]") {
    std::string told;
    Resuming world;
    Sender sender = world.open_sender();
    const Tracker held = sender.send("held");
    held.on_done([&](const Outcome& outcome) { told = outcome.message(); });
    world.reactor.settle();
    REQUIRE(world.in_log->kept.size() == 1);
    Delivery delivery = std::move(world.in_log->kept[0]);
    world.cut();
    CHECK_FALSE(held.outcome());
    auto left = sender.take_suspended();
    REQUIRE(left);
    CHECK_FALSE(sender.take_suspended());
    CHECK(left->name == "resumable");
    CHECK(left->deliveries.size() == 1);
    REQUIRE(world.server_left);

    world.connect();
    sender = world.open_sender(left);
    world.reactor.settle();
    CHECK(sender.is_open());
    CHECK(sender.name() == "resumable");
    CHECK_FALSE(held.outcome());
    CHECK(world.in_log->texts.empty());  // not told twice
    CHECK(sender.pending() == 1);
    delivery.accept();  // got on the link before
    world.reactor.settle();
    REQUIRE(held.outcome());
    CHECK(held.outcome()->accepted());
    CHECK(told == "accepted");
    CHECK(sender.pending() == 0);
}

TEST_CASE("an outcome that was lost with its connection is told again, and the message does not come twice",
          "[2.6.13-c]") {
    Resuming world;
    Sender sender = world.open_sender();
    const Tracker tracker = sender.send("once");
    world.reactor.settle();
    REQUIRE(world.in_log->kept.size() == 1);
    Delivery delivery = std::move(world.in_log->kept[0]);
    world.cut();
    delivery.accept();  // while there is no link
    world.reactor.settle();
    CHECK_FALSE(tracker.outcome());
    world.connect();
    sender = world.open_sender(sender.take_suspended());
    const Tracker next = sender.send("next");
    world.reactor.settle();
    REQUIRE(tracker.outcome());
    CHECK(tracker.outcome()->accepted());
    CHECK(world.in_log->texts == Events{"next"});
    // Chosen tags go on where they were, so that no two unsettled deliveries have the same.
    CHECK(world.in_log->kept.at(0).tag() != delivery.tag());
    world.in_log->kept.clear();
    world.reactor.settle();
    CHECK(next.outcome()->kind == Outcome::Kind::released);
}

TEST_CASE("credit is whole again after deliveries were resumed", "[2.6.7]") {
    Resuming world;
    Sender sender = world.open_sender();
    std::vector<Tracker> trackers;
    for (int i = 0; i < 6; ++i) trackers.push_back(sender.send("m"));
    world.reactor.settle();
    std::vector<Delivery> held = std::move(world.in_log->kept);
    REQUIRE(held.size() == 6);
    world.cut();
    world.connect();
    sender = world.open_sender(sender.take_suspended());
    world.reactor.settle();
    CHECK(sender.credit() == 4);  // the option less what the application holds
    held.clear();                 // released
    world.reactor.settle();
    CHECK(trackers[5].outcome()->kind == Outcome::Kind::released);
    world.when_message = nullptr;
    for (int i = 0; i < 25; ++i) sender.send("more");
    world.reactor.settle();
    for (int i = 0; i < 5; ++i) {
        world.in_log->kept.clear();
        world.reactor.settle();
    }
    CHECK(world.in_log->texts.size() == 25);
}

TEST_CASE("a detach without closing hands over what is unsettled, both ends are told", "[2.6.4]") {
    Resuming world;
    const auto log = std::make_shared<SenderLog>();
    Sender sender = world.open_sender(nullptr, log);
    const Tracker on_wire = sender.send("unsettled");
    world.reactor.settle();
    Delivery delivery = std::move(world.in_log->kept.at(0));
    sender.detach();
    world.reactor.settle();
    CHECK(log->events == Events{"open", "credit", "close"});
    CHECK_FALSE(log->failure);
    CHECK(world.in_log->events == Events{"open", "remote close", "close"});
    REQUIRE(world.in_log->failure);
    CHECK(world.in_log->failure->code == Errc::suspended_by_peer);
    CHECK(world.client.is_open());
    CHECK_FALSE(on_wire.outcome());
    world.server_left = world.in.take_suspended();
    const auto left = sender.take_suspended();
    REQUIRE(left);

    sender = world.open_sender(left);  // on the same connection
    world.reactor.settle();
    delivery.reject(some_error());
    world.reactor.settle();
    REQUIRE(on_wire.outcome());
    CHECK(on_wire.outcome()->condition == some_error());
}

TEST_CASE("what had not left when a link is suspended ends as not sent") {
    Resuming world;
    world.credit = 1;
    Sender sender = world.open_sender();
    const Tracker on_wire = sender.send("m"), waiting = sender.send("m");
    world.reactor.settle();
    world.cut();
    CHECK_FALSE(on_wire.outcome());
    REQUIRE(waiting.outcome());
    CHECK(waiting.outcome()->kind == Outcome::Kind::not_sent);
}

TEST_CASE("a resumable link that we close leaves nothing, even if its connection is lost before the answer") {
    Resuming world;
    Sender sender = world.open_sender();
    const Tracker tracker = sender.send("m");
    world.reactor.settle();
    sender.close();
    world.cut();
    CHECK_FALSE(sender.take_suspended());
    REQUIRE(tracker.outcome());
    CHECK(tracker.outcome()->kind == Outcome::Kind::in_doubt);
}

TEST_CASE("a suspended link that is dropped ends its trackers in doubt") {
    bool told = false;
    Resuming world;
    Sender sender = world.open_sender();
    const Tracker tracker = sender.send("m");
    tracker.on_done([&](const Outcome&) { told = true; });
    world.reactor.settle();
    world.cut();
    auto left = sender.take_suspended();
    REQUIRE(left);
    CHECK_FALSE(tracker.outcome());
    left.reset();
    REQUIRE(tracker.outcome());
    CHECK(tracker.outcome()->kind == Outcome::Kind::in_doubt);
    CHECK(tracker.outcome()->failure->code == Errc::connection_lost);
    world.reactor.settle();
    CHECK(told);
}

TEST_CASE("a link that could not be attached again gives back what it was to resume") {
    Resuming world;
    Sender sender = world.open_sender();
    const Tracker tracker = sender.send("m");
    world.reactor.settle();
    Delivery delivery = std::move(world.in_log->kept.at(0));
    world.cut();
    const Connection nowhere = world.client_container.connect("amqp://nobody.invalid");
    SenderOptions options;
    options.link.suspended = sender.take_suspended();
    Sender failed = nowhere.open_sender("to", options);
    world.reactor.run_for(20s);
    CHECK_FALSE(failed.is_open());
    CHECK_FALSE(tracker.outcome());
    const auto left = failed.take_suspended();
    REQUIRE(left);
    world.connect();
    sender = world.open_sender(left);
    delivery.accept();
    world.reactor.settle();
    REQUIRE(tracker.outcome());
    CHECK(tracker.outcome()->accepted());
}

TEST_CASE("a receiver that is attached again does not see what it had accepted", "[2.6.13-c]") {
    Resuming world;
    Receiver receiver = world.open_receiver();
    world.reactor.settle();
    const Tracker first = world.out.send("first"), second = world.out.send("second"), third = world.out.send("third");
    world.reactor.settle();
    Delivery one = std::move(*receiver.try_receive({})), two = std::move(*receiver.try_receive({}));
    world.cut();  // the third was not taken
    one.accept();
    world.connect();
    receiver = world.open_receiver(receiver.take_suspended());
    world.reactor.settle();
    REQUIRE(first.outcome());
    CHECK(first.outcome()->accepted());
    CHECK_FALSE(second.outcome());
    two.accept();
    world.reactor.settle();
    CHECK(second.outcome()->accepted());
    REQUIRE(third.outcome());
    CHECK(third.outcome()->kind == Outcome::Kind::released);
    CHECK_FALSE(receiver.try_receive({}));
}

TEST_CASE("a link goes on in another container, and deliveries of before are settled there", "[2.6.13-a]") {
    Resuming world;
    Receiver receiver = world.open_receiver();
    world.reactor.settle();
    const Tracker early = world.out.send("early"), late = world.out.send("late");
    world.reactor.settle();
    Delivery one = std::move(*receiver.try_receive({})), two = std::move(*receiver.try_receive({}));
    world.cut();
    const auto left = receiver.take_suspended();
    one.accept();
    Container second(world.reactor, "client");
    world.connect_from(second);
    receiver = Resuming::open_receiver(world.client, left);
    two.accept();
    world.reactor.settle();
    REQUIRE(early.outcome());
    CHECK(early.outcome()->accepted());
    REQUIRE(late.outcome());
    CHECK(late.outcome()->accepted());
    CHECK_FALSE(receiver.try_receive({}));
    const Tracker after = world.out.send("after");
    world.reactor.settle();
    receiver.try_receive({})->accept();
    world.reactor.settle();
    CHECK(after.outcome()->accepted());
    receiver = {};
    world.client.close();
    world.reactor.settle();
}
