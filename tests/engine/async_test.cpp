// One operation, four ways to wait for it; deadlines and cancellation.
#include "engine/pair.hpp"

#include <coroutine>
#include <future>
#include <utility>

using namespace aprotic;
using namespace aprotic::engine;
using namespace aprotic::engine::test;

namespace {

/// The least that a coroutine can be: it begins at once and nobody waits for its end.
struct Detached {
    struct promise_type {
        Detached get_return_object() { return {}; }
        std::suspend_never initial_suspend() noexcept { return {}; }
        std::suspend_never final_suspend() noexcept { return {}; }
        void return_void() {}
        void unhandled_exception() { std::terminate(); }
    };
};

/// A coroutine that can be destroyed while it waits.
struct Owned {
    struct promise_type {
        Owned get_return_object() { return Owned{std::coroutine_handle<promise_type>::from_promise(*this)}; }
        std::suspend_never initial_suspend() noexcept { return {}; }
        std::suspend_always final_suspend() noexcept { return {}; }
        void return_void() {}
        void unhandled_exception() { std::terminate(); }
    };
    explicit Owned(std::coroutine_handle<promise_type> made) : handle(made) {}
    Owned(Owned&& other) noexcept : handle(std::exchange(other.handle, nullptr)) {}
    ~Owned() {
        if (handle) handle.destroy();
    }
    std::coroutine_handle<promise_type> handle;
};

void accept(Receiver&, Delivery& delivery) { delivery.accept(); }

Detached talk(Container& container, const Address& server, Events& steps) {
    auto connected = co_await container.async_connect("amqp://" + server.to_string(), 5s);
    if (!connected) co_return;
    steps.push_back("connected");
    const Sender sender = connected->open_sender("to");
    if (co_await sender.async_wait_open(5s)) steps.push_back("open");
    auto outcome = co_await sender.async_send("hello", 5s);
    steps.push_back(outcome->message());
    if (co_await sender.async_close(5s)) steps.push_back("sender closed");
    if (co_await connected->async_close(5s)) steps.push_back("closed");
}

Owned receive_one(const Receiver& receiver, std::string& text) {
    auto delivery = co_await receiver.async_receive(60s);
    text = delivery ? std::string(delivery->message().body_text().value_or("?")) : delivery.error().code.message();
    if (delivery) delivery->accept();
}

}  // namespace

TEST_CASE("a coroutine connects, opens, sends and closes, each step awaited") {
    sim::SimReactor reactor;
    Container server(reactor, "server"), client(reactor, "client");
    const auto log = std::make_shared<ConnectionLog>();
    const auto receiver_log = std::make_shared<ReceiverLog>();
    receiver_log->when_message = accept;
    log->take_receiver = [&](LinkRequest request) { request.accept_receiver({}, receiver_log); };
    const auto listener = server.listen({.host = "here", .port = 0}, {}, [&] { return log; });
    REQUIRE(listener);
    Events steps;
    talk(client, listener->address(), steps);
    CHECK(steps.empty());
    reactor.run_for(1s);
    CHECK(steps == Events{"connected", "open", "accepted", "sender closed", "closed"});
}

TEST_CASE("a coroutine that is destroyed while it waits takes no message") {
    Pair pair;
    pair.accept_all();
    const Receiver receiver = pair.client.open_receiver("from");
    pair.settle();
    std::string gone, text;
    {
        const Owned waiting = receive_one(receiver, gone);
        pair.settle();
    }
    const Owned next = receive_one(receiver, text);
    const Tracker tracker = pair.server_sender.send("message");
    pair.settle();
    CHECK(gone.empty());
    CHECK(text == "message");
    CHECK(tracker.outcome()->accepted());
}

TEST_CASE("messages go to those who wait in their order, and past those who have given up") {
    Pair pair;
    pair.accept_all();
    const Receiver receiver = pair.client.open_receiver("from");
    pair.settle();
    Events got;
    const auto note = [&](const char* who) {
        return [&got, who](codec::Result<Delivery, Failure> delivery) {
            got.push_back(std::string(who) + ": " +
                          (delivery ? std::string(delivery->message().body_text().value()) : "nothing"));
        };
    };
    std::stop_source second;
    receiver.async_receive(60s).then(note("one"));
    receiver.async_receive(60s, second.get_token()).then(note("two"));
    receiver.async_receive(1s).then(note("three"));
    receiver.async_receive(60s).then(note("four"));
    second.request_stop();
    pair.settle();
    CHECK(got == Events{"two: nothing"});
    pair.reactor.run_for(2s);
    CHECK(got == Events{"two: nothing", "three: nothing"});
    for (const char* text : {"a", "b", "c"}) pair.server_sender.send(text);
    pair.settle();
    CHECK(got == Events{"two: nothing", "three: nothing", "one: a", "four: b"});
    receiver.async_receive(60s).then(note("five"));
    CHECK(got.size() == 4);  // never from inside the call
    pair.settle();
    CHECK(got.back() == "five: c");
    receiver.async_receive(60s).then(note("six"));
    receiver.close();
    pair.settle();
    CHECK(got.back() == "six: nothing");
}

TEST_CASE("an operation ends at its own time, with what was waited for in its text") {
    Pair pair;
    const Sender sender = pair.client.open_sender("to");
    std::optional<Failure> failure;
    sender.async_wait_open(3s).then([&](codec::Result<void, Failure> opened) { failure = opened.error(); });
    pair.reactor.run_for(2s);
    CHECK_FALSE(failure);
    pair.reactor.run_for(1s);
    REQUIRE(failure);
    CHECK(failure->code == Errc::timed_out);
    CHECK(failure->text.find("'to'") != std::string::npos);
    CHECK(failure->text.find("not answered in time") != std::string::npos);
}

TEST_CASE("a refused link fails who waits for it with the peer's condition") {
    Pair pair;
    pair.server_log->take_receiver = [](LinkRequest request) { request.refuse(some_error()); };
    const Sender sender = pair.client.open_sender("to");
    std::optional<Failure> failure;
    sender.async_wait_open(3s).then([&](codec::Result<void, Failure> opened) { failure = opened.error(); });
    pair.settle();
    REQUIRE(failure);
    CHECK(failure->code == Errc::refused);
    CHECK(failure->condition == some_error());
}

TEST_CASE("sending is cancelled: what has not left is taken back, what has is in doubt for who waited") {
    Pair pair;
    pair.accept_all(1);
    const Sender sender = pair.client.open_sender("to");
    pair.settle();
    std::stop_source stop;
    std::vector<Outcome> outcomes;
    const auto note = [&](codec::Result<Outcome, Failure> outcome) { outcomes.push_back(*outcome); };
    sender.async_send("on the wire", 60s, stop.get_token()).then(note);
    sender.async_send("waits", 60s, stop.get_token()).then(note);
    pair.settle();
    CHECK(pair.server_receiver_log->texts == Events{"on the wire"});
    stop.request_stop();
    pair.settle();
    REQUIRE(outcomes.size() == 2);
    // In which order a stop source tells those who listen is its own business.
    if (outcomes[0].kind != Outcome::Kind::in_doubt) std::swap(outcomes[0], outcomes[1]);
    CHECK(outcomes[0].kind == Outcome::Kind::in_doubt);
    CHECK(outcomes[0].failure->code == Errc::cancelled);
    CHECK(outcomes[1].kind == Outcome::Kind::not_sent);
    CHECK(outcomes[1].failure->code == Errc::cancelled);
    CHECK(sender.pending() == 1);
    pair.server_receiver_log->kept.at(0).accept();
    pair.settle();
    CHECK(sender.pending() == 0);
    CHECK(outcomes.size() == 2);
    CHECK(pair.server_receiver_log->texts.size() == 1);
    sender.async_send("never", 60s, stop.get_token()).then(note);  // requested already
    pair.settle();
    REQUIRE(outcomes.size() == 3);
    CHECK(outcomes[2].failure->code == Errc::cancelled);
}

TEST_CASE("a send that times out is told so, and its tracker goes on") {
    Pair pair;
    pair.accept_all();
    const Sender sender = pair.client.open_sender("to");
    const Tracker tracker = sender.send("m");
    std::optional<Outcome> outcome;
    tracker.async_wait(1s).then([&](codec::Result<Outcome, Failure> ended) { outcome = *ended; });
    pair.reactor.run_for(2s);
    REQUIRE(outcome);
    CHECK(outcome->kind == Outcome::Kind::in_doubt);
    CHECK(outcome->failure->code == Errc::timed_out);
    pair.server_receiver_log->kept.at(0).accept();
    pair.settle();
    CHECK(tracker.outcome()->accepted());
    bool again = false;
    tracker.async_wait(1s).then([&](codec::Result<Outcome, Failure> ended) { again = ended->accepted(); });
    pair.settle();
    CHECK(again);
}

TEST_CASE("on the reactor's thread an asynchronous send waits for room, in line and without blocking") {
    Pair pair;
    pair.accept_all(0);
    const Sender sender = pair.client.open_sender("to", {.queue_bytes_max = 100});
    pair.settle();
    const Message message(std::string(60, 'x'));
    Events ended;
    const auto note = [&](const char* who) {
        return [&ended, who](codec::Result<Outcome, Failure> outcome) {
            ended.push_back(std::string(who) + " " + outcome->message().substr(0, 8));
        };
    };
    sender.async_send(message, 60s).then(note("one"));
    sender.async_send(message, 1s).then(note("two"));
    sender.async_send(message, 60s).then(note("three"));
    CHECK(sender.pending() == 1);
    pair.reactor.run_for(2s);
    CHECK(ended == Events{"two not sent"});
    pair.server_receiver_log->when_message = accept;
    pair.server_receiver.add_credit(10);
    pair.settle();
    CHECK(ended == Events{"two not sent", "one accepted", "three accepted"});
    CHECK(pair.server_receiver_log->texts.size() == 2);
    sender.async_send(message, 60s).then(note("four"));
    pair.settle();
    CHECK(ended.back() == "four accepted");
}

TEST_CASE("who waits for room hears when the link ends") {
    Pair pair;
    pair.accept_all(0);
    const Sender sender = pair.client.open_sender("to", {.queue_bytes_max = 100});
    pair.settle();
    const Message message(std::string(60, 'x'));
    const Tracker first = sender.send(message);
    std::optional<Outcome> outcome;
    sender.async_send(message, 60s).then([&](codec::Result<Outcome, Failure> ended) { outcome = *ended; });
    pair.server_receiver.close(some_error());
    pair.settle();
    REQUIRE(outcome);
    CHECK(outcome->kind == Outcome::Kind::not_sent);
    CHECK(first.outcome()->kind == Outcome::Kind::not_sent);
}

TEST_CASE("blocking on the reactor's thread is refused at once, also for operations") {
    Pair pair;
    const Sender sender = pair.client.open_sender("to");
    CHECK(sender.async_wait_open(60s).wait().error().code == Errc::would_deadlock);
    CHECK(pair.client.async_wait_open(60s).wait().error().code == Errc::would_deadlock);
    pair.settle();
    CHECK(pair.client.async_wait_open(60s).wait());  // done already
}

TEST_CASE("a settlement is confirmed when the peer cannot have missed it", "[2.6.12]") {
    Pair pair;
    const auto mode = GENERATE(codec::ReceiverSettleMode::first, codec::ReceiverSettleMode::second);
    pair.server_log->take_receiver = [&](LinkRequest request) {
        ReceiverOptions options;
        options.link.rcv_settle_mode = mode;
        pair.server_receiver = request.accept_receiver(options, pair.server_receiver_log);
    };
    SenderOptions options;
    options.link.rcv_settle_mode = mode;
    const Sender sender = pair.client.open_sender("to", options);
    const Tracker first = sender.send("m"), second = sender.send("m");
    pair.settle();
    auto& kept = pair.server_receiver_log->kept;
    REQUIRE(kept.size() == 2);
    int confirmed = 0;
    const auto note = [&](codec::Result<void, Failure> settled) { confirmed += settled.has_value(); };
    kept[0].async_settle(codec::Accepted{}, 5s).then(note);
    CHECK(confirmed == 0);
    CHECK(kept[0].async_settle(codec::Released{}, 5s).is_done());
    pair.settle();
    CHECK(confirmed == 1);
    CHECK(first.outcome()->accepted());
    CHECK(pair.server_receiver.credit() == 98);

    pair.client.close();
    pair.settle();
    std::optional<Failure> failure;
    kept[1].async_settle(codec::Accepted{}, 5s).then([&](codec::Result<void, Failure> settled) {
        failure = settled.error();
    });
    pair.settle();
    CHECK(failure);
    CHECK_FALSE(second.outcome()->accepted());
}

TEST_CASE("an attempt to connect is cancelled, times out, or fails with its reason") {
    sim::SimReactor reactor;
    Container container(reactor);
    reactor.silence("far");
    std::vector<std::error_code> codes;
    const auto note = [&](codec::Result<Connection, Failure> connected) { codes.push_back(connected.error().code); };
    std::stop_source stop;
    container.async_connect("amqp://far", 60s, stop.get_token()).then(note);
    container.async_connect("amqp://far", 1s).then(note);
    container.async_connect("amqp://nobody.invalid", 60s).then(note);
    stop.request_stop();
    reactor.run_for(2s);
    CHECK(codes.size() == 3);
    CHECK(std::count(codes.begin(), codes.end(), make_error_code(Errc::cancelled)) == 1);
    CHECK(std::count(codes.begin(), codes.end(), make_error_code(Errc::timed_out)) == 1);
    CHECK(std::count(codes.begin(), codes.end(), make_error_code(Errc::resolve_failed)) == 1);
}

TEST_CASE("operations end with their container") {
    std::future<codec::Result<void, Failure>> future;
    std::error_code told;
    {
        sim::SimReactor reactor;
        Container container(reactor);
        reactor.silence("far");
        const Connection connection = container.connect("amqp://far");
        future = connection.async_wait_open(60s).future();
        connection.async_wait_open(60s).then([&](codec::Result<void, Failure> opened) { told = opened.error().code; });
    }
    REQUIRE(future.wait_for(0s) == std::future_status::ready);
    CHECK_FALSE(future.get());
    CHECK(told == Errc::closed);
}
