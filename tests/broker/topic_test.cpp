#include "broker/world.hpp"

using namespace aprotic;
using namespace aprotic::engine;

TEST_CASE("every subscriber of a topic gets every message that comes while it is there") {
    World world;
    auto tx = world.sender("broadcast.t");
    world.send_all(tx, {"nobody hears"});
    auto one = std::make_shared<Inbox>(), two = std::make_shared<Inbox>();
    auto a = world.receiver("broadcast.t", one);
    world.send_all(tx, {"1"});
    auto b = world.receiver("broadcast.t", two);
    world.send_all(tx, {"2"});
    world.settle();
    REQUIRE(one->texts == Texts{"1", "2"});
    REQUIRE(two->texts == Texts{"2"});
    REQUIRE(world.node("broadcast.t")->is_topic);
    REQUIRE(world.node("broadcast.t")->messages == 0);
}

TEST_CASE("a topic settles its deliveries unless the subscriber asks for outcomes") {
    World world;
    auto plain = std::make_shared<Inbox>(), careful = std::make_shared<Inbox>();
    careful->accepts = false;
    ReceiverOptions options;
    options.link.snd_settle_mode = codec::SenderSettleMode::unsettled;
    auto a = world.receiver("broadcast.t", plain);
    auto b = world.receiver("broadcast.t", careful, options);
    world.send_all(world.sender("broadcast.t"), {"1"});
    world.settle();
    REQUIRE(plain->settled == std::vector<bool>{true});
    REQUIRE(careful->settled == std::vector<bool>{false});
    careful->kept.at(0).release();
    careful->accepts = true;
    world.settle();
    REQUIRE(careful->texts == Texts{"1", "1"});
    REQUIRE(plain->texts == Texts{"1"});
}

TEST_CASE("a slow subscriber loses its oldest messages and holds up nobody") {
    BrokerOptions options;
    options.node_messages_max = 5;
    World world(options);
    auto slow = std::make_shared<Inbox>(), fast = std::make_shared<Inbox>();
    ReceiverOptions none;
    none.credit = 0;
    auto a = world.receiver("broadcast.t", slow, none);
    auto b = world.receiver("broadcast.t", fast);
    auto tx = world.sender("broadcast.t");
    for (int i = 0; i < 20; ++i) REQUIRE(world.send(tx, Message(std::to_string(i))).accepted());
    REQUIRE(fast->texts.size() == 20);
    REQUIRE(world.node("broadcast.t")->messages == 5);
    a.add_credit(100);
    world.settle();
    REQUIRE(slow->texts == Texts{"15", "16", "17", "18", "19"});
}
