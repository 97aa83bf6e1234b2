#include <catch2/catch.hpp>

#include <chrono>
#include <string>
#include <vector>

#include "sim/fault_network.hpp"
#include "sim/wire_observer.hpp"
#include "sim/world.hpp"

using namespace aprotic;
using namespace aprotic::sim;
using namespace std::chrono_literals;

TEST_CASE("the same seed gives the same world, octet for octet") {
    for (std::uint64_t seed = 1; seed <= 12; ++seed) {
        CAPTURE(seed);
        const RunResult once = run_world({.seed = seed});
        // Other addresses on the heap must make no difference.
        const std::vector<std::string> shift(seed, std::string(1000, 'x'));
        const RunResult again = run_world({.seed = seed});
        CHECK(once.violations.empty());
        CHECK(once.hash == again.hash);
        CHECK(once.steps == again.steps);
        CHECK(once.time == again.time);
        CHECK(once.frames > 0);
    }
}

TEST_CASE("a run that is cut short has the beginning of the whole one") {
    std::vector<std::string> whole;
    std::vector<std::string> part;
    run_world({.seed = 3, .show = [&](std::string line) { whole.push_back(std::move(line)); }});
    run_world({.seed = 3, .until = 1s, .show = [&](std::string line) { part.push_back(std::move(line)); }});
    REQUIRE(part.size() > 5);
    REQUIRE(part.size() < whole.size());
    for (std::size_t i = 0; i < 5; ++i) CHECK(part[i] == whole[i]);
}

namespace {

/// Two sides that say whatever they are told to.
struct Judge {
    void say(std::size_t side, const auto& performative, std::string_view payload = {}, std::uint16_t channel = 0) {
        const codec::Bytes frame = codec::encode_frame(channel, performative, codec::as_bytes(payload));
        observer.written(side, frame.span());
        observer.read(1 - side, frame.size());
    }
    /// A sender at side 0 and a receiver at side 1, with credit for three and a window of five.
    void open() {
        for (std::size_t side : {0U, 1U}) say(side, codec::Open{.container_id = "x"});
        say(0, codec::Begin{.incoming_window = 5, .outgoing_window = 5});
        say(1, codec::Begin{.remote_channel = std::uint16_t{0}, .incoming_window = 5, .outgoing_window = 5});
        say(0, codec::Attach{.name = "l", .role = codec::Role::sender, .initial_delivery_count = 0});
        say(1, codec::Attach{.name = "l", .role = codec::Role::receiver});
        say(1, flow(3));
    }
    static codec::Flow flow(std::uint32_t credit) {
        codec::Flow flow;
        flow.next_incoming_id = 0;
        flow.incoming_window = 5;
        flow.outgoing_window = 5;
        flow.handle = 0;
        flow.delivery_count = 0;
        flow.link_credit = credit;
        return flow;
    }
    static codec::Transfer transfer(std::uint32_t id) {
        codec::Transfer transfer;
        transfer.delivery_id = id;
        transfer.delivery_tag = codec::DeliveryTag::from_number(id);
        return transfer;
    }
    static codec::Disposition settled(codec::Role role, std::uint32_t first) {
        codec::Disposition disposition;
        disposition.role = role;
        disposition.first = first;
        disposition.settled = true;
        disposition.state = codec::Accepted{};
        return disposition;
    }
    std::size_t faults() const { return journal.violations.size(); }

    Journal journal;
    SimReactor reactor;
    WireObserver observer{journal, reactor, 0};
};

}  // namespace

TEST_CASE("the observer lets pass what is legal") {
    Judge judge;
    judge.open();
    for (std::uint32_t id = 0; id < 3; ++id) judge.say(0, Judge::transfer(id), "m");
    judge.say(1, Judge::settled(codec::Role::receiver, 0));
    judge.say(0, Judge::settled(codec::Role::sender, 0));
    CHECK(judge.journal.violations == std::vector<std::string>{});
    CHECK(judge.observer.credit("l", 0) == 0U);
}

TEST_CASE("the observer sees what neither engine may do") {
    Judge judge;
    judge.open();
    REQUIRE(judge.faults() == 0);
    SECTION("a delivery without credit") {
        for (std::uint32_t id = 0; id < 4; ++id) judge.say(0, Judge::transfer(id));
    }
    SECTION("a transfer outside of the window") {
        codec::Transfer transfer = Judge::transfer(0);
        transfer.more = true;
        for (int i = 0; i < 6; ++i) judge.say(0, transfer);
    }
    SECTION("delivery-ids out of order") {
        judge.say(0, Judge::transfer(0));
        judge.say(0, Judge::transfer(2));
    }
    SECTION("settling twice") {
        judge.say(0, Judge::transfer(0));
        judge.say(1, Judge::settled(codec::Role::receiver, 0));
        judge.say(1, Judge::settled(codec::Role::receiver, 0));
    }
    SECTION("an outcome of a delivery that never was") { judge.say(1, Judge::settled(codec::Role::receiver, 0)); }
    SECTION("a flow that counts what was not read") {
        codec::Flow flow = Judge::flow(1);
        flow.next_incoming_id = 1;
        judge.say(1, flow);
    }
    SECTION("a flow that counts what was not written") {
        codec::Flow flow = Judge::flow(1);
        flow.next_outgoing_id = 7;
        judge.say(1, flow);
    }
    SECTION("credit given back that nobody drains") {
        codec::Flow flow = Judge::flow(0);
        flow.delivery_count = 3;
        judge.say(0, flow);
    }
    SECTION("a frame for a link that has gone") {
        judge.say(0, codec::Detach{.handle = 0});
        judge.say(0, Judge::transfer(0));
    }
    SECTION("a frame after close") {
        judge.say(0, codec::Close{});
        judge.say(0, Judge::transfer(0));
    }
    SECTION("a frame that is too large") { judge.say(1, codec::Begin{}, std::string(70'000, 'x'), 3); }
    SECTION("blame") {
        codec::Detach detach;
        detach.error = codec::ErrorCondition{codec::Symbol(codec::condition::transfer_limit_exceeded), {}, {}};
        judge.say(1, detach);
    }
    CHECK(judge.faults() > 0);
}

TEST_CASE("the network keeps the order of octets, whatever the weather") {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        test::Prng prng(seed);
        Weather weather = Weather::draw(prng);
        weather.refuse_one_in = 0;
        SimReactor reactor(seed);
        Journal journal;
        FaultNetwork network(reactor, seed, weather,
                             [&] { return std::make_shared<WireObserver>(journal, reactor, 0); });
        const auto joined = network.connect({}).value();
        engine::Stream* const near = joined.first.get();
        engine::Stream* const far = joined.second.get();
        std::string sent = "AMQP";
        sent += std::string("\0\1\0\0", 4);
        std::size_t done = 0;
        std::string heard;
        std::array<std::byte, 100> room{};
        const std::array<codec::ConstBuffer, 1> buffers = {{{codec::as_bytes(sent).data(), sent.size()}}};
        std::function<void()> write = [&] { near->write(buffers, [&](std::error_code, std::size_t n) { done += n; }); };
        bool ended = false;
        std::function<void()> read = [&] {
            far->read(room, [&](std::error_code error, std::size_t n) {
                heard += codec::as_text(std::span(room).first(n));
                ended = error || n == 0;
                if (!ended) read();
            });
        };
        read();
        write();
        CHECK(reactor.run_until([&] { return heard.size() == done && done > 0; }));
        CHECK(heard == sent.substr(0, done));
        near->close();
        CHECK(reactor.run_until([&] { return ended; }));
    }
}

TEST_CASE("a reset ends both ends, a half close one direction") {
    SimReactor reactor;
    Journal journal;
    FaultNetwork network(reactor, 1, {}, [&] { return std::make_shared<WireObserver>(journal, reactor, 0); });
    auto [near, far] = network.connect({}).value();
    std::array<std::byte, 10> room{};
    std::vector<std::string> ends;
    const auto watch = [&](engine::Stream& end, std::string name) {
        end.read(room, [&ends, name](std::error_code error, std::size_t) {
            ends.push_back(name + (error ? " reset" : " end"));
        });
    };
    watch(*near, "near");
    watch(*far, "far");
    SECTION("half close") {
        network.half_close_one();
        reactor.settle();
        CHECK(ends.size() == 1);
    }
    SECTION("reset") {
        network.reset_one();
        reactor.settle();
        CHECK(ends == std::vector<std::string>{"near reset", "far reset"});
    }
}
