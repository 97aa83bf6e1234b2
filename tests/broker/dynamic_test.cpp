#include "broker/world.hpp"

using namespace aprotic;
using namespace aprotic::engine;

namespace {

ReceiverOptions dynamic(std::optional<std::uint64_t> lifetime = {}) {
    ReceiverOptions options;
    options.dynamic = true;
    if (lifetime) {
        codec::Source source;
        source.dynamic = true;
        source.dynamic_node_properties.set(codec::Symbol("lifetime-policy"),
                                           codec::Described(*lifetime, codec::List{}));
        options.link.source = source;
    }
    return options;
}

std::string refusal(World& world, const std::string& address) {
    auto watcher = std::make_shared<Watcher>();
    auto tx = world.sender(world.common(), address, watcher);
    if (!watcher->closed || !watcher->failure || !watcher->failure->condition) return "none";
    return watcher->failure->condition->condition.str();
}

}  // namespace

TEST_CASE("a dynamic source is a queue of its own that goes with its link", "[3.5.3-b][3.5.10]") {
    World world;
    auto inbox = std::make_shared<Inbox>();
    auto rx = world.receiver("", inbox, dynamic());
    const std::string address = rx.address();
    REQUIRE_FALSE(address.empty());
    REQUIRE(rx.remote()->source->dynamic);
    const auto* policy = rx.remote()->source->dynamic_node_properties.find("lifetime-policy");
    REQUIRE(policy != nullptr);
    REQUIRE(policy->as<codec::Described>().code() == codec::descriptor::delete_on_close);
    REQUIRE(world.node(address)->is_dynamic);

    auto watcher = std::make_shared<Watcher>();
    auto tx = world.sender(world.common(), address, watcher);
    world.send_all(tx, {"reply"});
    world.settle();
    REQUIRE(inbox->texts == Texts{"reply"});

    rx.close();
    world.settle();
    REQUIRE(watcher->closed);
    REQUIRE(watcher->failure->condition->condition == codec::condition::resource_deleted);
    REQUIRE_FALSE(world.node(address));
    REQUIRE(refusal(world, address) == "amqp:not-found");
}

TEST_CASE("dynamic nodes go with their connection") {
    World world;
    auto connection = world.connect();
    auto rx = world.receiver(connection, "", std::make_shared<Inbox>(), dynamic());
    const std::string address = rx.address();
    REQUIRE(world.node(address));
    connection.close();
    world.settle();
    REQUIRE_FALSE(world.node(address));
}

TEST_CASE("a dynamic node lives as long as the peer asks", "[3.5.9-a]") {
    World world;
    SECTION("delete-on-no-links") {
        auto rx = world.receiver("", std::make_shared<Inbox>(), dynamic(codec::descriptor::delete_on_no_links));
        const std::string address = rx.address();
        auto tx = world.sender(address);
        rx.close();
        world.settle();
        world.send_all(tx, {"still there"});
        tx.close();
        world.settle();
        REQUIRE_FALSE(world.node(address));
    }
    SECTION("delete-on-no-messages") {
        auto rx = world.receiver("", std::make_shared<Inbox>(), dynamic(codec::descriptor::delete_on_no_messages));
        const std::string address = rx.address();
        rx.close();
        world.settle();
        REQUIRE_FALSE(world.node(address));
    }
    SECTION("delete-on-no-links-or-messages") {
        ReceiverOptions options = dynamic(codec::descriptor::delete_on_no_links_or_messages);
        options.credit = 0;
        auto rx = world.receiver("", std::make_shared<Inbox>(), options);
        const std::string address = rx.address();
        auto tx = world.sender(address);
        world.send_all(tx, {"kept"});
        tx.close();
        rx.close();
        world.settle();
        REQUIRE(world.node(address)->messages == 1);
        auto inbox = std::make_shared<Inbox>();
        auto again = world.receiver(address, inbox);
        again.close();
        world.settle();
        REQUIRE(inbox->texts == Texts{"kept"});
        REQUIRE_FALSE(world.node(address));
    }
}

TEST_CASE("a dynamic target is a queue that others may read", "[3.5.4-b]") {
    World world;
    SenderOptions options;
    codec::Target target;
    target.dynamic = true;
    options.link.target = target;
    auto tx = world.settle(world.common().open_sender("", options));
    REQUIRE_FALSE(tx.address().empty());
    world.send_all(tx, {"1"});
    auto inbox = std::make_shared<Inbox>();
    auto rx = world.receiver(tx.address(), inbox);
    REQUIRE(inbox->texts == Texts{"1"});
}

TEST_CASE("what the only receiver of a dynamic node cannot take does not stay there", "[3.4.5-c]") {
    World world;
    auto inbox = std::make_shared<Inbox>();
    inbox->accepts = false;
    auto rx = world.receiver("", inbox, dynamic());
    const auto tx = world.sender(rx.address());
    world.send_all(tx, {"late", "later"});
    world.settle();
    REQUIRE(inbox->kept.size() == 2);
    auto other = std::make_shared<Inbox>();
    inbox->kept[0].modify(true, true);
    world.settle();
    CHECK(world.node(rx.address())->messages == 1);
    // With another receiver there is somebody to take it.
    auto second = world.receiver(rx.address(), other);
    inbox->kept[1].modify(true, true);
    world.settle();
    CHECK(other->texts == Texts{"later"});
    CHECK(world.node(rx.address())->messages == 0);
}
