#include "core/endpoint.hpp"
#include "support/hex.hpp"

#include <catch2/catch.hpp>

#include <string>
#include <vector>

using namespace aprotic;
using namespace aprotic::test;

// A message in one frame is understood in one go where more than its frame has been read, and in the general way where
// it has not, or where anything is special about it. Nobody outside can tell which.

namespace {

struct Counting final : TraceSink {
    void frame(bool outgoing, std::span<const std::byte> bytes) override {
        if (!outgoing) seen += to_hex(bytes) + "\n";
    }
    std::string seen;
};

struct Setting {
    std::uint32_t credit = 5;
    std::uint32_t window = 100;
    codec::ReceiverSettleMode mode = codec::ReceiverSettleMode::first;
    bool draining = false;
};

std::string name_of(const Event& event) {
    if (const auto* const ended = std::get_if<SessionEnded>(&event)) {
        return "session ended" + (ended->error ? " " + *ended->error->description : "");
    }
    if (const auto* const detached = std::get_if<LinkDetached>(&event)) {
        return "detached" + (detached->error ? " " + *detached->error->description : "");
    }
    return "event " + std::to_string(event.index());
}

/// Everything that comes of the frames, and of accepting what they bring.
std::string outcome(const std::vector<codec::Bytes>& frames, const Setting& setting, bool together) {
    Scene scene;
    SessionOptions window;
    window.incoming_window = setting.window;
    const SessionId session = scene.machine->begin(window).value();
    const auto begin = scene.peer.expect_begin();
    scene.peer.map_channel(begin.channel(), begin.channel());
    scene.peer.send(peer::begin().remote_channel(begin.channel()).on_channel(begin.channel()));
    scene.machine.expect_event<SessionOpened>();
    LinkOptions link = receiving();
    link.rcv_settle_mode = setting.mode;
    link.message_size_max = 20;
    const LinkId id = scene.attach(session, link);
    scene.machine->set_credit(id, setting.credit).value();
    if (setting.draining) scene.machine->drain(id).value();
    scene.peer.expect_flow();

    Counting trace;
    scene.machine->set_trace(&trace);
    scene.machine.events_held = true;
    std::vector<std::byte> all;
    for (const codec::Bytes& frame : frames) {
        if (!together) scene.machine.feed(frame.span());
        all.insert(all.end(), frame.span().begin(), frame.span().end());
    }
    for (int i = 0; i < 10; ++i) {  // so that there is something behind the last one
        const auto empty = codec::empty_frame();
        if (!together) scene.machine.feed(empty);
        all.insert(all.end(), empty.begin(), empty.end());
    }
    if (together) scene.machine.feed(all);

    std::string told = trace.seen;
    while (const auto event = scene.machine->poll_event()) {
        const auto* const received = std::get_if<DeliveryReceived>(&*event);
        if (received == nullptr) {
            told += name_of(*event) + "\n";
            continue;
        }
        const auto taken = scene.machine->take(received->delivery);
        REQUIRE(taken);
        told += "message " + std::string(taken->tag.text()) + " " + std::to_string(taken->message_format) +
                (taken->settled ? " settled " : " ") + octets_of(*taken) + "\n";
        const auto settled = scene.machine->settle(received->delivery, codec::Accepted{});
        told += settled ? "accepted\n" : "not accepted\n";
    }
    if (const auto status = scene.machine->status(id)) {
        told += std::to_string(status->credit) + " " + std::to_string(status->unsettled) + "\n";
    }
    scene.machine->set_trace(nullptr);
    return told + to_hex(scene.machine.take_output(SIZE_MAX));
}

codec::Transfer message(std::uint32_t number) {
    return {.handle = 0,
            .delivery_id = number,
            .delivery_tag = codec::DeliveryTag::from_number(number + 'a'),
            .message_format = 0,
            .settled = false};
}

codec::Bytes frame(const codec::Transfer& transfer, std::string_view payload, std::uint16_t channel = 0) {
    return codec::encode_frame(channel, transfer, codec::as_bytes(payload));
}

/// The outcome of either way, which is the same.
std::string either_way(const std::vector<codec::Bytes>& frames, const Setting& setting = {}) {
    std::string told = outcome(frames, setting, true);
    CHECK(told == outcome(frames, setting, false));
    return told;
}

/// In what the application hears, or in what the peer is told.
bool has(const std::string& told, std::string_view what) {
    return told.find(what) != std::string::npos || told.find(to_hex(codec::as_bytes(what))) != std::string::npos;
}

}  // namespace

TEST_CASE("messages in one frame come to the same however they are read", "[2.7.5][2.6.12]") {
    codec::Transfer settled = message(1);
    settled.settled = true;
    codec::Transfer other_format = message(2);
    other_format.message_format = 7;
    codec::Transfer says_little = message(3);
    says_little.message_format.reset();
    says_little.settled.reset();
    const std::string told = either_way(
        {frame(message(0), "one"), frame(settled, "two"), frame(other_format, "three"), frame(says_little, "")});
    CHECK(has(told, "message a 0 one\naccepted"));
    CHECK(has(told, "message b 0 settled two\nnot accepted"));
    CHECK(has(told, "message c 7 three\naccepted"));
    CHECK(has(told, "message d 0 \naccepted"));
    CHECK(has(told, "\n1 0\n"));

    // A receiver that settles second does not forget them before the sender has. [2.6.12-g]
    CHECK(has(
        either_way({frame(message(0), "one"), frame(message(1), "two")}, {.mode = codec::ReceiverSettleMode::second}),
        "accepted\n3 2\n"));
    // The last of the credit ends a drain. [2.6.7-h]
    CHECK(has(either_way({frame(message(0), "one"), frame(message(1), "two")}, {.credit = 2, .draining = true}),
              "event 10"));
    // The window is given again before it is used up. [2.5.6-i]
    either_way({frame(message(0), "one"), frame(message(1), "two")}, {.window = 2});
}

TEST_CASE("a message of several frames may stand between those of one", "[2.6.14]") {
    codec::Transfer begins = message(1);
    begins.more = true;
    const codec::Transfer ends{.handle = 0};
    const std::string told =
        either_way({frame(message(0), "one"), frame(begins, "t"), frame(ends, "wo"), frame(message(2), "three")});
    CHECK(has(told, "one\naccepted\nmessage b 0 two\naccepted\nmessage c 0 three\naccepted"));
    // And the next may not begin before it has ended. [2.6.14-d]
    CHECK(has(either_way({frame(message(0), "one"), frame(begins, "t"), frame(message(2), "three")}), "[2.6.14-d]"));
}

TEST_CASE("what is wrong with a message in one frame is found however it is read", "[2.7.5][2.6.7][2.5.6]") {
    const codec::Bytes good = frame(message(0), "one");
    CHECK(has(either_way({good, frame(message(2), "three")}), "[2.7.5-e]"));
    CHECK(has(either_way({good, frame(message(1), "two")}, {.credit = 1}), "[2.6.7-n]"));
    CHECK(has(either_way({good, frame(message(1), "more than twenty octets")}), "[2.7.3-l]"));
    codec::Transfer elsewhere = message(1);
    elsewhere.handle = 4;
    CHECK(has(either_way({good, frame(elsewhere, "two")}), "[2.6.2-e]"));
    CHECK(has(either_way({good, frame(message(1), "two", 9)}), "message a 0 one\naccepted"));
    CHECK(has(either_way({good, frame(message(1), "two"), frame(message(2), "three"), frame(message(3), "four")},
                         {.window = 3}),
              "[2.5.6-f]"));
    // Not even when its frame follows one that has ended the link.
    CHECK(
        has(either_way({good, frame(message(1), "more than twenty octets"), frame(message(2), "three")}), "[2.7.3-l]"));
}
