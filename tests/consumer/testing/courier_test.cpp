// Tests of the courier against a broker that misbehaves on cue, in virtual time: half a minute passes at once.
#include "courier.hpp"

#include <cstdio>
#include <cstdlib>

#include <aprotic/testing/scripted_broker.hpp>

using namespace aprotic;
using namespace std::chrono_literals;

namespace {

void check(bool holds, const char* what) {
    if (holds) return;
    std::fprintf(stderr, "failed: %s\n", what);
    std::exit(1);
}

/// A world with the courier in it, and the broker in the test's hands.
struct World {
    sim::SimReactor reactor;
    testing::ScriptedBroker broker{reactor};
    engine::Container container{reactor, "shop"};
    Courier courier{container, "amqp://broker"};

    /// The broker up to the courier's attach, which it has not answered.
    testing::ScriptedBroker::Line until_attach() {
        auto line = broker.accept();
        line->skip_empty_frames = true;
        // Without a SASL layer: the courier gives no user and asks for none.
        line->answer_open();
        line->expect_begin().respond();
        return line;
    }
    /// The same with the link attached and credit given, up to the order.
    testing::ScriptedBroker::Line until_transfer() {
        auto line = until_attach();
        const auto attach = line->expect_attach().respond();
        line->send(peer::flow().handle(attach->handle).delivery_count(0).link_credit(10));
        return line;
    }
};

void an_order_arrives() {
    World world;
    world.courier.deliver("two pounds of tea");
    auto line = world.until_transfer();
    line->expect_transfer().respond();  // accepted and settled
    world.reactor.run_for(1s);
    check(world.courier.state == "delivered", "an accepted order is delivered");
    check(world.courier.attempts == 1, "at the first attempt");
}

void a_refused_link_is_not_tried_again() {
    World world;
    world.courier.deliver("tea");
    auto line = world.until_attach();
    // Refusal: an attach without target, and at once a detach that says why. [2.6.3]
    const auto attach = line->expect_attach().respond([](auto& reply) { reply.no_target(); });
    line->send(peer::detach(attach->handle).closed().error("amqp:not-found", "no such queue"));
    world.reactor.run_for(60s);
    check(world.courier.state == "refused: amqp:not-found", "the courier tells the broker's reason");
    check(world.courier.attempts == 1, "and does not insist");
}

void a_connection_lost_after_the_transfer_is_made_again() {
    World world;
    world.courier.deliver("tea");
    auto line = world.until_transfer();
    const std::string first(line->expect_transfer().payload().text());
    line.drop();
    const auto before = world.reactor.now();
    auto second = world.until_transfer();
    check(world.reactor.now() - before >= 5s, "the courier waits before it comes again");
    // The same message-id, so that the broker can tell.
    second->expect_transfer().with_payload(first).respond();
    world.reactor.run_for(1s);
    check(world.courier.state == "delivered" && world.courier.attempts == 2, "the second attempt delivers");
}

void a_broker_that_never_settles_is_given_up() {
    World world;
    world.courier.deliver("tea");
    for (int i = 0; i < 3; ++i) {
        auto line = world.until_transfer();
        line->expect_transfer();
        world.reactor.run_for(12s);  // nothing comes from the broker
    }
    check(world.courier.state == "given up" && world.courier.attempts == 3, "after three attempts it gives up");
}

}  // namespace

int main() {
    try {
        an_order_arrives();
        a_refused_link_is_not_tried_again();
        a_connection_lost_after_the_transfer_is_made_again();
        a_broker_that_never_settles_is_given_up();
    } catch (const peer::ScriptError& error) {
        std::fprintf(stderr, "the courier did something else\n%s\n", error.what());
        return 1;
    }
    std::puts("the courier does what it should");
}
