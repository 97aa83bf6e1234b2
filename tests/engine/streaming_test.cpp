// Messages in parts through the event layer. [2.6.14]
#include "engine/pair.hpp"

using namespace aprotic;
using namespace aprotic::engine;
using namespace aprotic::engine::test;

namespace {

codec::ByteChain part(std::string text) { return codec::ByteChain(codec::Bytes::from_string(std::move(text))); }

/// Reads what comes, as it is told to.
struct PartsLog : ReceiverLog {
    void on_part(Receiver& receiver, Delivery& delivery) override {
        ++calls;
        if (when_part) return when_part(receiver, delivery);
        read_all(delivery);
    }
    void read_all(Delivery& delivery) {
        for (;;) {
            auto read = delivery.try_read({});
            if (!read) {
                if (read.error().code == Errc::aborted) events.push_back("aborted");
                return;
            }
            if (read->empty()) {
                events.push_back("end");
                return delivery.accept();
            }
            text += read->to_string();
            largest = std::max(largest, read->size());
        }
    }
    int calls = 0;
    std::string text;
    std::size_t largest = 0;
    std::function<void(Receiver&, Delivery&)> when_part;
};

/// A sender here, a receiver there that is told parts.
struct PartsPair : Pair {
    explicit PartsPair(std::size_t window = 1 << 20, const ConnectionOptions& options = {}) : Pair(options, options) {
        server_log->take_receiver = [this, window](LinkRequest request) {
            ReceiverOptions receiving;
            receiving.link.stream_window = window;
            server_receiver = request.accept_receiver(receiving, log);
        };
        sender = client.open_sender("to", {.queue_bytes_max = 100'000});
        settle();
    }
    std::shared_ptr<PartsLog> log = std::make_shared<PartsLog>();
    Sender sender;
};

ConnectionOptions small_frames() {
    ConnectionOptions options;
    options.limits.frame_size_max = 1024;
    options.limits.incoming_window = 8;
    return options;
}

}  // namespace

TEST_CASE("a message is sent and read in parts, and its tracker has the outcome", "[2.6.14-a]") {
    PartsPair pair;
    OutgoingDelivery out = pair.sender.begin();
    CHECK(out.append(part("one")));
    pair.settle();
    CHECK(pair.log->text == "one");
    CHECK(out.append(part("two")));
    CHECK(out.append(part("three")));
    pair.settle();
    CHECK(pair.log->text == "onetwothree");
    CHECK(pair.log->events == Events{"open"});
    const Tracker tracker = out.finish();
    CHECK_FALSE(out);
    CHECK_FALSE(tracker.outcome());
    pair.settle();
    CHECK(pair.log->events == Events{"open", "end"});
    REQUIRE(tracker.outcome());
    CHECK(tracker.outcome()->accepted());
    CHECK(pair.sender.pending() == 0);
}

TEST_CASE("what is appended before the link opens goes out when it does") {
    Pair pair;
    pair.accept_all();
    const Sender sender = pair.client.open_sender("to");
    OutgoingDelivery out = sender.begin();
    CHECK(out.append_data(codec::Bytes::copy_of("first ")));
    CHECK(out.append_data(codec::Bytes::copy_of("second")));
    const Tracker tracker = out.finish();
    const Tracker behind = sender.send("behind");
    pair.settle();
    REQUIRE(pair.server_receiver_log->kept.size() == 2);
    std::string body;
    const Message whole = codec::decode_message(pair.server_receiver_log->kept[0].payload()).value();
    for (const auto& octets : std::get<Message::Data>(whole.body)) body += octets.text();
    CHECK(body == "first second");
    CHECK(pair.server_receiver_log->texts[1] == "behind");
    pair.server_receiver_log->kept[0].accept();
    pair.settle();
    CHECK(tracker.outcome()->accepted());
}

TEST_CASE("a handle that goes without finishing aborts its message, and the receiver sees that", "[2.7.5-t]") {
    PartsPair pair;
    Tracker tracker;
    {
        OutgoingDelivery out = pair.sender.begin();
        CHECK(out.append(part("half")));
        tracker = out.tracker();
        pair.settle();
        CHECK(pair.log->text == "half");
    }
    const Tracker next = pair.sender.send("next");
    pair.settle();
    REQUIRE(tracker.outcome());
    CHECK(tracker.outcome()->kind == Outcome::Kind::not_sent);
    CHECK(tracker.outcome()->failure->code == Errc::aborted);
    CHECK(pair.log->events == Events{"open", "aborted", "end"});
    CHECK(next.outcome()->accepted());
}

TEST_CASE("a message aborted before its first part leaves no trace") {
    PartsPair pair;
    OutgoingDelivery out = pair.sender.begin();
    const Tracker tracker = out.tracker();
    out.abort();
    const Tracker next = pair.sender.send("next");
    pair.settle();
    CHECK(tracker.outcome()->failure->code == Errc::aborted);
    CHECK(next.outcome()->accepted());
    CHECK(pair.log->events == Events{"open", "end"});
    CHECK(pair.sender.pending() == 0);
}

TEST_CASE("a receiver that settles before the end stops the sender", "[2.6.12]") {
    PartsPair pair;
    pair.log->when_part = [](Receiver&, Delivery& delivery) {
        CHECK(delivery.is_in_parts());
        CHECK(delivery.payload().empty());
        delivery.reject(some_error());
    };
    OutgoingDelivery out = pair.sender.begin();
    CHECK(out.append(part("one")));
    pair.settle();
    REQUIRE(out.tracker().outcome());
    CHECK(out.tracker().outcome()->kind == Outcome::Kind::rejected);
    CHECK(out.append(part("two")).error().code == Errc::wrong_state);
    const Tracker tracker = out.finish();
    pair.settle();
    CHECK(tracker.outcome()->condition == some_error());
    CHECK(pair.log->calls == 1);
    pair.log->when_part = nullptr;
    const Tracker next = pair.sender.send("next");
    pair.settle();
    CHECK(next.outcome()->accepted());
}

TEST_CASE("a receiver that does not read holds the sender back, not more than the window and a helping are there",
          "[2.5.6]") {
    PartsPair pair(4096, small_frames());
    std::optional<Delivery> kept;
    pair.log->when_part = [&](Receiver&, Delivery& delivery) { kept.emplace(std::move(delivery)); };
    OutgoingDelivery out = pair.sender.begin();
    int appended = 0;
    for (int i = 0; i < 1000; ++i) {
        const auto done = out.append(part(std::string(1000, static_cast<char>('a' + i % 26))));
        pair.settle();
        if (!done) {
            CHECK(done.error().code == Errc::queue_full);
            break;
        }
        ++appended;
    }
    // 100,000 bytes wait at the sender, two windows of 4096 at most are at the receiver.
    CHECK(appended >= 100);
    CHECK(appended <= 112);
    REQUIRE(kept);
    std::size_t total = 0, largest = 0;
    while (total < static_cast<std::size_t>(appended) * 1000) {
        auto read = kept->try_read({});
        if (!read) {
            CHECK(read.error().code == Errc::timed_out);
            const std::size_t before = total;
            pair.settle();
            read = kept->try_read({});
            REQUIRE(read);
            CHECK(total == before);
        }
        REQUIRE_FALSE(read->empty());
        largest = std::max(largest, read->size());
        total += read->size();
        pair.settle();
    }
    CHECK(largest <= 8192);
    CHECK(out.append(part("z")));
    const Tracker tracker = out.finish();
    pair.settle();
    CHECK(kept->try_read({})->to_string() == "z");
    pair.settle();
    CHECK(kept->try_read({})->empty());
    CHECK(kept->try_read({})->empty());
    kept->accept();
    pair.settle();
    CHECK(tracker.outcome()->accepted());
}

TEST_CASE("while one link streams another of its session goes on") {
    PartsPair pair;
    OutgoingDelivery out = pair.sender.begin();
    CHECK(out.append(part("begun")));
    pair.server_log->take_receiver = [&](LinkRequest request) {
        request.accept_receiver({}, pair.server_receiver_log);
    };
    const Sender other = pair.client.open_sender("other");
    const Tracker beside = other.send("beside");
    const Tracker behind = pair.sender.send("behind");
    pair.settle();
    CHECK(pair.server_receiver_log->texts == Events{"beside"});
    CHECK_FALSE(behind.outcome());
    out.finish();
    pair.settle();
    CHECK(behind.outcome()->accepted());
}

TEST_CASE("a message larger than the peer takes ends at the part that is too much", "[2.7.3]") {
    Pair pair;
    pair.server_log->take_receiver = [&](LinkRequest request) {
        ReceiverOptions receiving;
        receiving.link.message_size_max = 1000;
        pair.server_receiver = request.accept_receiver(receiving, pair.server_receiver_log);
    };
    const Sender sender = pair.client.open_sender("to");
    pair.settle();
    OutgoingDelivery out = sender.begin();
    CHECK(out.append(part(std::string(600, 'x'))));
    CHECK(out.append(part(std::string(600, 'y'))));
    CHECK_FALSE(out.append(part("z")));
    pair.settle();
    CHECK(out.tracker().outcome()->failure->code == Errc::message_too_large);
    CHECK(pair.client.is_open());
}

TEST_CASE("a connection that is lost ends a message under way as not sent, and its reader hears of it") {
    PartsPair pair;
    std::optional<Delivery> kept;
    pair.log->when_part = [&](Receiver&, Delivery& delivery) { kept.emplace(std::move(delivery)); };
    OutgoingDelivery out = pair.sender.begin();
    CHECK(out.append(part("half")));
    pair.settle();
    REQUIRE(kept);
    CHECK(kept->try_read({})->to_string() == "half");
    pair.client.close();
    pair.settle();
    CHECK(out.tracker().outcome()->kind == Outcome::Kind::not_sent);
    CHECK_FALSE(out.append(part("more")));
    CHECK(kept->try_read({}).error().code != Errc::timed_out);
    kept->accept();  // too late, and harmless
}

TEST_CASE("parts are read without a handler too, one message after the other") {
    Pair pair;
    pair.accept_all();
    ReceiverOptions options;
    options.link.stream_window = 1 << 16;
    const Receiver receiver = pair.client.open_receiver("from", options);
    pair.settle();
    OutgoingDelivery out = pair.server_sender.begin({}, 7);
    CHECK(out.append(part("first part")));
    pair.settle();
    auto delivery = receiver.try_receive({});
    REQUIRE(delivery);
    CHECK(delivery->message_format() == 7);
    CHECK(delivery->try_read({})->to_string() == "first part");
    CHECK(delivery->try_read({}).error().code == Errc::timed_out);
    CHECK(delivery->try_read(1s).error().code == Errc::would_deadlock);
    std::string later;
    delivery->async_read(5s).then([&](codec::Result<codec::ByteChain, Failure> read) { later = read->to_string(); });
    CHECK(out.append(part("second")));
    const Tracker tracker = out.finish();
    pair.settle();
    CHECK(later == "second");
    CHECK(delivery->try_read({})->empty());
    delivery->accept();
    const Tracker whole = pair.server_sender.send("whole");
    pair.settle();
    CHECK(tracker.outcome()->accepted());
    auto next = receiver.try_receive({});
    REQUIRE(next);
    std::string text;
    for (auto read = next->try_read({}); read && !read->empty(); read = next->try_read({})) text += read->to_string();
    CHECK(codec::ByteChain(codec::Bytes::copy_of(text)) == codec::encode(Message("whole")).octets());
}

TEST_CASE("a message that comes in parts and is dropped is released, one that was sent settled is skipped") {
    PartsPair pair;
    pair.log->when_part = [](Receiver&, Delivery& delivery) { const Delivery dropped = std::move(delivery); };
    OutgoingDelivery first = pair.sender.begin();
    CHECK(first.append(part("one")));
    pair.settle();
    CHECK(first.tracker().outcome()->kind == Outcome::Kind::released);
    OutgoingDelivery settled = pair.sender.begin({.settled = true});
    CHECK(settled.append(part("two")));
    pair.settle();
    CHECK(settled.append(part("three")));
    const Tracker tracker = settled.finish();
    pair.settle();
    CHECK(tracker.outcome()->kind == Outcome::Kind::sent);
    CHECK(pair.log->calls == 2);
    pair.log->when_part = nullptr;
    const Tracker next = pair.sender.send("next");
    pair.settle();
    CHECK(next.outcome()->accepted());
    CHECK(pair.server_receiver.credit() > 50);
}

TEST_CASE("a coroutine's append waits for room where append would refuse") {
    PartsPair pair(4096, small_frames());
    OutgoingDelivery out = pair.sender.begin();
    int done = 0;
    std::function<void()> go = [&] {
        if (done == 500) return;
        out.async_append(part(std::string(1000, 'x')), 10s).then([&](codec::Result<void, Failure> appended) {
            REQUIRE(appended);
            ++done;
            go();
        });
    };
    go();
    pair.settle();
    CHECK(done == 500);
    const Tracker tracker = out.finish();
    pair.settle();
    CHECK(pair.log->text.size() == 500'000);
    CHECK(pair.log->largest <= 8192);
    CHECK(tracker.outcome()->accepted());
}
