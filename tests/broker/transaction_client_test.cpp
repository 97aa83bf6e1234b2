#include <aprotic/engine/transaction.hpp>

#include "broker/world.hpp"

using namespace aprotic;
using namespace aprotic::engine;

// Both roles of ours: a controller's handles and the broker's resource.

namespace {

struct Clients : World {
    Transaction begin(const Connection& on) {
        std::optional<Transaction> made;
        Transaction::declare(on, 5s, [&](codec::Result<Transaction, Failure> answer) {
            INFO((answer ? std::string() : answer.error().message()));
            REQUIRE(answer);
            made = std::move(*answer);
        });
        REQUIRE(reactor.run_until([&] { return made.has_value(); }, 5s));
        return std::move(*made);
    }
    codec::Result<void, Failure> commit(Transaction& transaction) {
        std::optional<codec::Result<void, Failure>> ended;
        transaction.commit(5s, [&](const codec::Result<void, Failure>& how) { ended = how; });
        REQUIRE(reactor.run_until([&] { return ended.has_value(); }, 5s));
        return *ended;
    }
};

}  // namespace

TEST_CASE("a transaction moves a message from one queue to another, wholly or not at all",
          "[4.3-a][4.3-b][4.4.1-a][4.4.2-a]") {
    Clients world;
    world.send_all(world.sender("unicast.in"), {"order"});
    auto inbox = std::make_shared<Inbox>();
    inbox->accepts = false;
    const auto rx = world.receiver("unicast.in", inbox);
    const auto tx = world.sender("unicast.out");
    REQUIRE(inbox->kept.size() == 1);
    auto transaction = world.begin(world.common());
    CHECK(transaction.capabilities().many_sessions);
    CHECK(transaction.accept(inbox->kept[0]));
    const Tracker tracker = transaction.send(tx, "order, done");
    world.settle();
    CHECK(tracker.provisional()->accepted());
    CHECK(world.node("unicast.in")->messages == 1);
    CHECK(world.node("unicast.out")->messages == 0);
    const bool commits = GENERATE(true, false);
    if (commits) {
        CHECK(world.commit(transaction));
    } else {
        transaction = {};
    }
    world.settle();
    CHECK(world.node("unicast.in")->messages == (commits ? 0 : 1));
    CHECK(world.node("unicast.out")->messages == (commits ? 1 : 0));
    CHECK(tracker.outcome()->kind == (commits ? Outcome::Kind::accepted : Outcome::Kind::rolled_back));
    inbox->kept.clear();  // after a rollback this gives the message back
    world.settle();
    auto again = std::make_shared<Inbox>();
    const auto rest = world.receiver("unicast.in", again);
    world.settle();
    CHECK(inbox->texts.size() + again->texts.size() == (commits ? 1u : 2u));
}

TEST_CASE("messages are acquired in a transaction and come back when it is dropped", "[4.4.3-a][4.4.3-c][4.4.3-d]") {
    Clients world;
    auto inbox = std::make_shared<Inbox>();
    const auto rx = world.receiver("unicast.q", inbox);
    auto transaction = world.begin(world.common());
    transaction.acquire(rx);
    world.settle();
    const Connection other = world.connect();
    world.send_all(world.settle(other.open_sender("unicast.q")), {"1", "2"});
    world.settle();
    CHECK(inbox->texts == Texts{"1", "2"});
    CHECK(world.node("unicast.q")->messages == 2);
    const bool commits = GENERATE(true, false);
    if (commits) {
        CHECK(world.commit(transaction));
        world.settle();
        CHECK(world.node("unicast.q")->messages == 0);
        CHECK(inbox->texts == Texts{"1", "2"});
        return;
    }
    transaction = {};
    world.settle();
    CHECK(inbox->texts == Texts{"1", "2", "1", "2"});  // the link's credit is back, and takes them for good
    CHECK(world.node("unicast.q")->messages == 0);
}

TEST_CASE("a connection goes when its last handle does, and its transaction with it", "[4.1-c]") {
    Clients world;
    Tracker tracker;
    {
        const Connection mine = world.connect();
        const auto tx = world.settle(mine.open_sender("unicast.q"));
        auto transaction = world.begin(mine);
        tracker = transaction.send(tx, "m");
        world.settle();
    }
    world.settle();
    CHECK(tracker.outcome()->kind == Outcome::Kind::rolled_back);
    const auto node = world.node("unicast.q");
    CHECK((!node || node->messages == 0));
}

TEST_CASE("a broker that goes takes the transactions along", "[4.1-c]") {
    Clients world;
    const auto tx = world.sender("unicast.q");
    auto transaction = world.begin(world.common());
    const Tracker tracker = transaction.send(tx, "m");
    world.settle();
    world.broker.reset();
    world.settle();
    CHECK(tracker.outcome()->kind == Outcome::Kind::rolled_back);
    std::optional<codec::Result<void, Failure>> ended;
    transaction.commit(5s, [&](const codec::Result<void, Failure>& how) { ended = how; });
    world.settle();
    CHECK_FALSE(*ended);
}

TEST_CASE("many transactions on one connection, each with many messages, keep their order") {
    Clients world;
    const auto tx = world.sender("unicast.q");
    std::vector<Transaction> open;
    for (int t = 0; t < 10; ++t) open.push_back(world.begin(world.common()));
    for (int i = 0; i < 50; ++i)
        for (std::size_t t = 0; t < open.size(); ++t) open[t].send(tx, std::to_string(t) + "/" + std::to_string(i));
    world.settle();
    for (std::size_t t = 0; t < open.size(); t += 2) CHECK(world.commit(open[t]));
    open.clear();
    auto inbox = std::make_shared<Inbox>();
    const auto rx = world.receiver("unicast.q", inbox);
    world.settle();
    REQUIRE(inbox->texts.size() == 250);
    CHECK(inbox->texts.front() == "0/0");
    CHECK(inbox->texts[50] == "2/0");
    CHECK(inbox->texts.back() == "8/49");
}
