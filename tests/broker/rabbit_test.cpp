// What the broker keeps of RabbitMQ 4's documented contract when it resembles it: docs/broker.md
#include <aprotic/engine/broker/rabbit_address.hpp>
#include <aprotic/engine/broker/rabbit_topology.hpp>

#include "broker/world.hpp"

using namespace aprotic;
using namespace aprotic::engine;

namespace {

BrokerOptions rabbit(std::vector<std::string> queues = {}) {
    BrokerOptions options;
    options.personality = BrokerPersonality::rabbitmq_4;
    options.queues = std::move(queues);
    return options;
}

ConnectionOptions with_sasl() {
    ConnectionOptions options;
    options.sasl.enabled = true;
    return options;
}

/// Answers of /management in the order in which they came.
struct Answers final : ReceiverHandler {
    void on_message(Receiver&, Delivery& delivery) override {
        CHECK(delivery.is_settled());
        all.push_back(*delivery.message().to_message());
    }
    std::vector<codec::Message> all;
};

struct Client {
    explicit Client(World& in) : world(in), connection(in.connect(with_sasl())) {
        SenderOptions there;
        ReceiverOptions back;
        there.link.name = back.link.name = "pair";
        there.link.snd_settle_mode = back.link.snd_settle_mode = codec::SenderSettleMode::settled;
        there.link.source.emplace().address = "/management";
        back.link.target.emplace(codec::Target{.address = "/management"});
        there.link.properties.set(codec::Symbol("paired"), true);
        back.link.properties.set(codec::Symbol("paired"), true);
        requests = connection.open_sender("/management", std::move(there));
        receiver = connection.open_receiver("/management", std::move(back), answers);
        world.settle();
    }
    /// The status, and the answer's body for whoever looks.
    std::string ask(const std::string& method, const std::string& target, codec::Value value = {}) {
        codec::Message request{std::move(value)};
        request.ensure_properties().message_id = "id";
        request.properties->subject = method;
        request.properties->to = target;
        request.properties->reply_to = "$me";
        const auto before = answers->all.size();
        requests.send(request, {.settled = true});
        world.settle();
        if (answers->all.size() != before + 1) return "no answer";
        const auto& answer = answers->all.back();
        CHECK(answer.properties->correlation_id == codec::MessageId(std::string("id")));
        CHECK(answer.application_properties.find("http:response")->to_text() == "1.1");
        body = std::get<codec::Value>(answer.body);
        return answer.properties->subject.value_or("");
    }
    std::string refusal(const std::string& address) {
        const auto watcher = std::make_shared<Watcher>();
        world.sender(connection, address, watcher);
        return watcher->failure && watcher->failure->condition ? watcher->failure->condition->condition.str() : "none";
    }

    World& world;
    Connection connection;
    std::shared_ptr<Answers> answers = std::make_shared<Answers>();
    Sender requests;
    Receiver receiver;
    codec::Value body;
};

codec::Map map(std::initializer_list<std::pair<const char*, codec::Value>> fields) {
    codec::Map map;
    for (const auto& [key, value] : fields) map.set(key, value);
    return map;
}

}  // namespace

TEST_CASE("addresses of version 2 are percent-encoded and have two forms", "[rabbit]") {
    using broker::parse_rabbit_address;
    CHECK(parse_rabbit_address("/queues/a%2Fb%20c")->key == "a/b c");
    CHECK(parse_rabbit_address("/queues/a")->is_queue());
    CHECK(parse_rabbit_address("/exchanges/e/k%25")->exchange == "e");
    CHECK(parse_rabbit_address("/exchanges/e/k%25")->key == "k%");
    CHECK(parse_rabbit_address("/exchanges/e/")->key == "");
    CHECK_FALSE(parse_rabbit_address("/exchanges/e")->key);
    for (const char* bad : {"", "q", "/queue/q", "/queues/", "/queues/%", "/queues/%2", "/queues/%zz", "/exchanges/",
                            "/exchanges/e/k/more", "/topic/t"})
        CHECK_FALSE(parse_rabbit_address(bad));
    CHECK(broker::rabbit_queue_address("a/b c%") == "/queues/a%2Fb%20c%25");
}

TEST_CASE("binding keys of topics", "[rabbit]") {
    using broker::topic_matches;
    CHECK(topic_matches("a.b", "a.b"));
    CHECK(topic_matches("a.*", "a.b"));
    CHECK_FALSE(topic_matches("a.*", "a.b.c"));
    CHECK(topic_matches("a.#", "a"));
    CHECK(topic_matches("#", ""));
    CHECK(topic_matches("#.c", "a.b.c"));
    CHECK(topic_matches("*.#.*", "a.b"));
    CHECK_FALSE(topic_matches("*.#.*", "a"));
}

TEST_CASE("it says what RabbitMQ 4 says, and lets nobody in without SASL", "[rabbit]") {
    World world(rabbit());
    const auto connection = world.connect(with_sasl());
    world.settle();
    REQUIRE(connection.remote() != nullptr);
    const auto& open = *connection.remote();
    CHECK(open.properties.find("product")->to_text() == "RabbitMQ");
    CHECK(open.properties.find("version")->to_text() == "4.2.0");
    CHECK(std::ranges::count(open.offered_capabilities, codec::Symbol("LINK_PAIR_V1_0")) == 1);
    CHECK(open.channel_max == 63);

    const auto plain = world.connect();
    world.settle();
    CHECK_FALSE(plain.is_open());
}

TEST_CASE("queues are declared, looked at, purged and deleted over /management", "[rabbit]") {
    World world(rabbit({"ready"}));
    Client client(world);
    CHECK(client.refusal("/queues/q") == "amqp:not-found");
    CHECK(client.refusal("/queues/ready") == "none");
    CHECK(client.refusal("q") == "amqp:invalid-field");
    CHECK(client.ask("GET", "/queues/q") == "404");
    const auto properties = map({{"durable", true}, {"arguments", map({{"x-expires", std::int64_t{5}}})}});
    CHECK(client.ask("PUT", "/queues/q", properties) == "201");
    CHECK(client.ask("PUT", "/queues/q", properties) == "200");
    CHECK(client.body.as<codec::Map>().find("name")->to_text() == "q");
    CHECK(client.ask("PUT", "/queues/q", map({{"durable", false}})) == "409");
    CHECK(client.ask("PUT", "/queues/q", map({{"durable", "yes"}})) == "400");
    CHECK(client.ask("PUT", "/queues/q", map({{"colour", "red"}})) == "400");
    CHECK(client.ask("PUT", "/queues/q", codec::Value("no map")) == "400");
    CHECK(client.ask("PUT", "/queues/amq.q", map({})) == "403");
    CHECK(client.ask("POST", "/queues/q", map({})) == "400");
    CHECK(client.ask("GET", "/nothing") == "400");

    const auto sender = world.settle(client.connection.open_sender("/queues/q"));
    world.send_all(sender, {"one", "two"});
    CHECK(client.ask("GET", "/queues/q") == "200");
    CHECK(client.body.as<codec::Map>().find("message_count")->to_int64() == 2);
    CHECK(client.ask("DELETE", "/queues/q/messages") == "200");
    CHECK(client.body.as<codec::Map>().find("message_count")->to_int64() == 2);
    CHECK(client.ask("DELETE", "/queues/q") == "200");
    CHECK(client.refusal("/queues/q") == "amqp:not-found");
}

TEST_CASE("exchanges route by their bindings, and what reaches no queue is released", "[rabbit]") {
    World world(rabbit());
    Client client(world);
    for (const char* queue : {"/queues/a", "/queues/b"}) REQUIRE(client.ask("PUT", queue, map({})) == "201");
    REQUIRE(client.ask("PUT", "/exchanges/e", map({{"type", "fanout"}})) == "204");
    CHECK(client.ask("PUT", "/exchanges/e", map({{"type", "direct"}})) == "409");
    CHECK(client.ask("PUT", "/exchanges/f", map({{"type", "headers"}})) == "400");
    const auto binding = [](const char* source, const char* queue, const char* key) {
        return map({{"source", source}, {"destination_queue", queue}, {"binding_key", key}, {"arguments", map({})}});
    };
    CHECK(client.ask("POST", "/bindings", binding("e", "a", "")) == "204");
    CHECK(client.ask("POST", "/bindings", binding("e", "b", "")) == "204");
    CHECK(client.ask("POST", "/bindings", binding("amq.direct", "a", "k")) == "204");
    CHECK(client.ask("POST", "/bindings", binding("none", "a", "k")) == "400");
    CHECK(client.ask("POST", "/bindings", binding("", "a", "k")) == "403");

    const auto fanout = world.settle(client.connection.open_sender("/exchanges/e/any"));
    const auto direct = world.settle(client.connection.open_sender("/exchanges/amq.direct/k"));
    const auto nowhere = world.settle(client.connection.open_sender("/exchanges/amq.direct/other"));
    CHECK(client.refusal("/exchanges/none/k") == "amqp:not-found");
    CHECK(world.send(fanout, codec::Message("all")).accepted());
    CHECK(world.send(direct, codec::Message("one")).accepted());
    CHECK(world.send(nowhere, codec::Message("none")).kind == Outcome::Kind::released);
    CHECK(world.node("/queues/a")->messages == 2);
    CHECK(world.node("/queues/b")->messages == 1);

    SECTION("by subject, and by `to` at the anonymous terminus") {
        const auto by_subject = world.settle(client.connection.open_sender("/exchanges/amq.direct"));
        codec::Message message("m");
        message.ensure_properties().subject = "k";
        CHECK(world.send(by_subject, message).accepted());
        const auto relay = world.settle(client.connection.open_sender(""));
        message.properties->to = "/queues/b";
        CHECK(world.send(relay, message).accepted());
        message.properties->to = "b";
        CHECK(world.send(relay, message).condition->condition == codec::condition::precondition_failed);
        CHECK(world.node("/queues/a")->messages == 3);
        CHECK(world.node("/queues/b")->messages == 2);
    }
    SECTION("unbound, it gets nothing any more") {
        CHECK(client.ask("DELETE", "/bindings/src=e;dstq=b;key=;args=") == "204");
        CHECK(client.ask("DELETE", "/bindings/what") == "400");
        CHECK(world.send(fanout, codec::Message("all")).accepted());
        CHECK(world.node("/queues/b")->messages == 1);
    }
}

TEST_CASE("an exclusive queue is its connection's alone and goes with it", "[rabbit]") {
    World world(rabbit());
    Client other(world);
    {
        Client owner(world);
        REQUIRE(owner.ask("PUT", "/queues/mine", map({{"exclusive", true}})) == "201");
        CHECK(owner.refusal("/queues/mine") == "none");
        CHECK(other.refusal("/queues/mine") == "amqp:resource-locked");
        CHECK(other.ask("PUT", "/queues/mine", map({{"exclusive", true}})) == "409");
        CHECK(other.ask("DELETE", "/queues/mine") == "400");
        owner.connection.close();
        world.settle();
    }
    CHECK_FALSE(world.node("/queues/mine"));
}

TEST_CASE("direct reply-to is a node for one link, which keeps nothing", "[rabbit]") {
    World world(rabbit());
    const auto connection = world.connect(with_sasl());
    const auto open = [&](std::vector<codec::Symbol> capabilities, codec::SenderSettleMode settle, std::uint32_t credit,
                          const std::shared_ptr<Inbox>& inbox) {
        ReceiverOptions options;
        options.dynamic = true;
        options.credit = credit;
        options.link.snd_settle_mode = settle;
        codec::Source source;
        source.dynamic = true;
        source.expiry_policy = codec::TerminusExpiryPolicy::link_detach;
        source.capabilities = std::move(capabilities);
        options.link.source = std::move(source);
        return world.settle(connection.open_receiver("", std::move(options), inbox));
    };
    const auto inbox = std::make_shared<Inbox>();
    auto replies = open({"rabbitmq:volatile-queue"}, codec::SenderSettleMode::settled, 1, inbox);
    REQUIRE(replies.is_open());
    CHECK(replies.address().starts_with("/queues/amq.rabbitmq.reply-to."));
    CHECK(replies.remote()->source->capabilities == std::vector<codec::Symbol>{"rabbitmq:volatile-queue"});
    const auto sender = world.settle(connection.open_sender(replies.address()));
    inbox->accepts = true;
    world.send_all(sender, {"one"});
    CHECK(inbox->texts == Texts{"one"});
    CHECK(inbox->settled == std::vector<bool>{true});

    const auto temporary = open({"temporary-queue"}, codec::SenderSettleMode::mixed, 10, std::make_shared<Inbox>());
    CHECK(temporary.is_open());
    for (const auto& refused :
         {open({}, codec::SenderSettleMode::settled, 1, std::make_shared<Inbox>()),
          open({"rabbitmq:volatile-queue"}, codec::SenderSettleMode::mixed, 1, std::make_shared<Inbox>())})
        CHECK_FALSE(refused.is_open());

    SECTION("without credit a reply is dropped") {
        const auto slow = std::make_shared<Inbox>();
        auto without = open({"rabbitmq:volatile-queue"}, codec::SenderSettleMode::settled, 0, slow);
        const auto to_it = world.settle(connection.open_sender(without.address()));
        world.send_all(to_it, {"lost"});
        without.add_credit(10);
        world.settle();
        CHECK(slow->texts.empty());
        world.send_all(to_it, {"seen"});
        CHECK(slow->texts == Texts{"seen"});
    }
    SECTION("it goes with its link") {
        const std::string address = replies.address();
        replies.close();
        world.settle();
        const auto late = std::make_shared<Watcher>();
        world.sender(connection, address, late);
        CHECK(late->closed);
    }
}

TEST_CASE("management requests that are not as asked for end their link", "[rabbit]") {
    World world(rabbit());
    Client client(world);
    codec::Message request{codec::Value(codec::Map())};
    request.ensure_properties().subject = "GET";
    SECTION("not settled") { client.requests.send(request); }
    SECTION("no reply-to") { client.requests.send(request, {.settled = true}); }
    world.settle();
    CHECK_FALSE(client.requests.is_open());
    CHECK(client.answers->all.empty());
}
