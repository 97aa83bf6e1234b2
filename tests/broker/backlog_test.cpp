#include <catch2/catch.hpp>

#include <aprotic/codec/message_view.hpp>
#include <aprotic/engine/broker/backlog.hpp>

using namespace aprotic;
using namespace aprotic::engine;
using namespace aprotic::engine::broker;
using namespace std::chrono_literals;

namespace {

constexpr Instant start{};
constexpr ConsumerId me = 1;
constexpr ConsumerId other = 2;

StoredPtr message(const char* text, std::optional<Duration> ttl = {}) {
    auto stored = std::make_unique<Stored>();
    codec::Message content(text);
    if (ttl) {
        content.ensure_header().ttl =
            static_cast<std::uint32_t>(std::chrono::duration_cast<std::chrono::milliseconds>(*ttl).count());
        stored->expires = start + *ttl;
    }
    stored->message = codec::encode(content);
    stored->arrived = start;
    return stored;
}

std::string text(const StoredPtr& stored) {
    return stored ? std::string(codec::MessageView(stored->message).body_text().value_or("?")) : "none";
}

}  // namespace

TEST_CASE("a backlog gives out in order of arrival and counts until a message is retired") {
    Backlog backlog;
    backlog.append(message("a"));
    backlog.append(message("b"));
    auto a = backlog.acquire(me, start);
    REQUIRE(text(a) == "a");
    REQUIRE(backlog.available() == 1);
    REQUIRE(backlog.messages() == 2);
    backlog.retire(*a);
    REQUIRE(backlog.messages() == 1);
    auto b = backlog.acquire(me, start);
    REQUIRE(text(b) == "b");
    REQUIRE(backlog.acquire(me, start) == nullptr);
    backlog.retire(*b);
    REQUIRE(backlog.bytes() == 0);
}

TEST_CASE("a message put back has its old place", "[3.4.4-a]") {
    Backlog backlog;
    for (const char* each : {"a", "b", "c"}) backlog.append(message(each));
    auto a = backlog.acquire(me, start);
    auto b = backlog.acquire(me, start);
    backlog.put_back(std::move(b));
    backlog.put_back(std::move(a));
    REQUIRE(text(backlog.acquire(me, start)) == "a");
    REQUIRE(text(backlog.acquire(me, start)) == "b");
    REQUIRE(text(backlog.acquire(me, start)) == "c");
}

TEST_CASE("a message undeliverable for one consumer is passed over for it alone", "[3.4.5-c]") {
    Backlog backlog;
    for (const char* each : {"a", "b"}) backlog.append(message(each));
    auto a = backlog.acquire(me, start);
    a->unwanted_by.push_back(me);
    backlog.put_back(std::move(a));
    REQUIRE(text(backlog.acquire(me, start)) == "b");
    REQUIRE(backlog.acquire(me, start) == nullptr);
    REQUIRE(text(backlog.acquire(other, start)) == "a");
}

TEST_CASE("an expired message is never given out", "[3.2.1-e]") {
    Backlog backlog;
    backlog.append(message("short", 100ms));
    backlog.append(message("long", 10s));
    backlog.append(message("ever"));
    auto held = backlog.acquire(me, start);
    backlog.put_back(std::move(held));
    REQUIRE(backlog.expire(start + 50ms) == start + 100ms);
    REQUIRE(text(backlog.acquire(me, start + 100ms)) == "long");
    REQUIRE(backlog.messages() == 2);
    backlog.append(message("short again", 200ms));
    REQUIRE(backlog.expire(start + 1s) == std::nullopt);
    REQUIRE(backlog.messages() == 2);
    REQUIRE(text(backlog.acquire(me, start + 1s)) == "ever");
}

TEST_CASE("browsing sees every available message once and takes none", "[3.5.2-a][3.5.2-b]") {
    Backlog backlog;
    for (const char* each : {"a", "b", "c"}) backlog.append(message(each));
    backlog.put_back(backlog.acquire(me, start));
    std::string seen;
    std::uint64_t last = 0;
    while (const auto* next = backlog.next_after(last, start)) {
        seen += codec::MessageView(next->message).body_text().value_or("?");
        last = next->sequence;
    }
    REQUIRE(seen == "abc");
    REQUIRE(backlog.available() == 3);
}

TEST_CASE("the oldest available message is dropped first and acquired ones never") {
    Backlog backlog;
    for (const char* each : {"a", "b", "c"}) backlog.append(message(each));
    auto a = backlog.acquire(me, start);
    auto b = backlog.acquire(me, start);
    backlog.put_back(std::move(b));
    REQUIRE(backlog.drop_oldest());
    REQUIRE(text(backlog.acquire(me, start)) == "c");
    REQUIRE_FALSE(backlog.drop_oldest());
    REQUIRE(backlog.messages() == 2);
}

TEST_CASE("what goes out counts failed deliveries and has its ttl shortened", "[3.2.1-f][3.4.5-a]") {
    auto stored = message("x", 60s);
    REQUIRE(outgoing(*stored, start) == stored->message);
    stored->failures = 2;
    const auto later = codec::MessageView(outgoing(*stored, start + 5s)).header();
    REQUIRE(later.delivery_count == 2);
    REQUIRE(later.ttl == 55'000u);
    // The rest of the message is shared as it was. [3.2-a]
    REQUIRE(codec::MessageView(outgoing(*stored, start)).body_text().value_or("") == "x");
}

TEST_CASE("time makes a difference while something in it expires, wherever that is") {
    Backlog backlog;
    backlog.append(message("ever"));
    REQUIRE_FALSE(backlog.can_expire());
    backlog.append(message("short", 100ms));
    auto at_once = message("at once", 1s);
    backlog.append_acquired(*at_once);
    REQUIRE(backlog.messages() == 3);
    REQUIRE(backlog.available() == 2);
    REQUIRE(text(backlog.acquire(me, start + 100ms)) == "ever");
    REQUIRE(backlog.acquire(me, start + 100ms) == nullptr);
    REQUIRE(backlog.can_expire());
    backlog.put_back(std::move(at_once));
    REQUIRE(text(backlog.acquire(me, start + 100ms)) == "at once");
    backlog.put_back(message("at once", 1s));
    REQUIRE(backlog.expire(start + 1s) == std::nullopt);
    REQUIRE_FALSE(backlog.can_expire());
}

TEST_CASE("what a message was kept in is used again as if it were new") {
    Spares spares;
    auto first = spares.take();
    const Stored* const place = first.get();
    first->message = codec::encode(codec::Message("x"));
    first->expires = start;
    first->failures = 3;
    first->unwanted_by.push_back(me);
    const auto octets = first->message.segments().front();
    REQUIRE(octets.use_count() == 2);
    spares.give_back(std::move(first));
    REQUIRE(octets.use_count() == 1);  // nothing of the message is held up
    const auto again = spares.take();
    REQUIRE(again.get() == place);
    REQUIRE(again->message.empty());
    REQUIRE_FALSE(again->expires);
    REQUIRE(again->failures == 0);
    REQUIRE(again->unwanted_by.empty());
    REQUIRE(spares.take().get() != place);
}
