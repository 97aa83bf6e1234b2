// Credit policies, and what links tell of themselves.
#include "engine/pair.hpp"

#include <aprotic/engine/filters.hpp>

using namespace aprotic;
using namespace aprotic::engine;
using namespace aprotic::engine::test;

namespace {

struct BytesPair : Pair {
    explicit BytesPair(std::size_t bytes, std::uint32_t credit = 100) {
        server_log->take_receiver = [this, bytes, credit](LinkRequest request) {
            server_receiver = request.accept_receiver({.credit = credit, .credit_bytes = bytes}, server_receiver_log);
        };
        sender = client.open_sender("to");
        settle();
    }
    std::vector<Delivery>& kept() { return server_receiver_log->kept; }
    Sender sender;
};

}  // namespace

TEST_CASE("credit is withheld while the bytes held pass the bound, and comes back when they are settled", "[2.6.7]") {
    BytesPair pair(10'000);
    const Message message(std::string(1000, 'x'));
    pair.sender.send(message);  // so that the usual size is known
    pair.settle();
    for (int i = 0; i < 50; ++i) pair.sender.send(message);
    pair.settle();
    CHECK(pair.kept().size() >= 9);
    CHECK(pair.kept().size() <= 11);
    CHECK(pair.sender.credit() == 0);
    pair.kept().clear();  // released
    pair.settle();
    CHECK(pair.kept().size() >= 9);
    CHECK(pair.kept().size() <= 11);
    for (int i = 0; i < 10 && pair.server_receiver_log->texts.size() < 51; ++i) {
        pair.kept().clear();
        pair.settle();
    }
    CHECK(pair.server_receiver_log->texts.size() == 51);
}

TEST_CASE("one message larger than the bound still comes, and takes the rest of the credit back") {
    BytesPair pair(1000);
    CHECK(pair.sender.credit() == 100);
    pair.sender.send(Message(std::string(5000, 'x')));
    pair.settle();
    CHECK(pair.kept().size() == 1);
    CHECK(pair.sender.credit() == 0);
    CHECK(pair.server_receiver.credit() == 0);
    pair.sender.send("waits");
    pair.settle();
    CHECK(pair.kept().size() == 1);
    pair.kept()[0].accept();
    pair.settle();
    CHECK(pair.kept().size() == 2);
}

TEST_CASE("small messages are bound by their number") {
    BytesPair pair(1'000'000, 10);
    for (int i = 0; i < 40; ++i) pair.sender.send("small");
    pair.settle();
    CHECK(pair.kept().size() == 10);
}

TEST_CASE("a flow that asks for an echo brings the peer's credit, what it has to send, and properties",
          "[2.6.7-m][2.6.7-p]") {
    Pair pair;
    pair.accept_all(0);
    const Sender sender = pair.client.open_sender("to");
    pair.settle();
    pair.server_receiver.add_credit(1);
    for (int i = 0; i < 5; ++i) sender.send("m");
    pair.settle();
    CHECK(pair.server_receiver_log->texts.size() == 1);
    std::optional<PeerFlow> flow;
    const auto note = [&](codec::Result<PeerFlow, Failure> told) { flow = *told; };
    pair.server_receiver.async_flow(5s).then(note);
    pair.settle();
    REQUIRE(flow);
    CHECK(flow->available == 4);
    CHECK(flow->credit == 0);
    CHECK(flow->properties.empty());
    CHECK(pair.server_receiver.available() == 4);

    // Each asks with properties: what one says is what the other hears.
    std::optional<PeerFlow> other;
    pair.server_receiver.async_flow(5s, {}, {{codec::Symbol("x-from"), codec::Value("receiver")}}).then(note);
    sender.async_flow(5s, {}, {{codec::Symbol("x-from"), codec::Value("sender")}})
        .then([&](codec::Result<PeerFlow, Failure> told) { other = *told; });
    pair.settle();
    REQUIRE(other);
    CHECK(other->properties.at("x-from") == codec::Value("receiver"));
    CHECK(flow->properties.at("x-from") == codec::Value("sender"));

    std::optional<Failure> failure;
    pair.client.open_sender("new").async_flow(5s).then(
        [&](codec::Result<PeerFlow, Failure> told) { failure = told.error(); });
    pair.client.close();
    pair.settle();
    CHECK(failure);
}

TEST_CASE("filters reach the sender's end, and what it keeps is told back", "[3.5.3]") {
    Pair pair;
    codec::Map seen;
    pair.server_log->take_sender = [&](LinkRequest request) {
        seen = request.attach().source->filter;
        SenderOptions options;
        options.link.source = request.attach().source;
        options.link.source->filter.erase(codec::Value(codec::Symbol("local")));
        pair.server_sender = request.accept_sender(options);
    };
    ReceiverOptions options;
    options.link.source = codec::Source{.address = "from"};
    filters::add(*options.link.source, "wanted", filters::selector("colour = 'red'"));
    filters::add(*options.link.source, "local", filters::no_local());
    const Receiver receiver = pair.client.open_receiver("from", options);
    pair.settle();
    CHECK(seen == options.link.source->filter);
    REQUIRE(receiver.remote() != nullptr);
    const auto& told = receiver.remote()->source->filter;
    CHECK(told.size() == 1);
    REQUIRE(told.find(codec::Symbol("wanted")) != nullptr);
    CHECK(*told.find(codec::Symbol("wanted")) == filters::selector("colour = 'red'"));
}

TEST_CASE("the registered filters have their descriptors") {
    const auto descriptor = [](const codec::Value& value) { return value.as<codec::Described>().descriptor(); };
    CHECK(descriptor(filters::direct_binding("a")) == codec::Value(std::uint64_t{0x468C00000000}));
    CHECK(descriptor(filters::topic_binding("a.*")) == codec::Value(std::uint64_t{0x468C00000001}));
    CHECK(descriptor(filters::headers_binding({})) == codec::Value(std::uint64_t{0x468C00000002}));
    CHECK(descriptor(filters::no_local()) == codec::Value(std::uint64_t{0x468C00000003}));
    CHECK(descriptor(filters::selector("a = 1")) == codec::Value(std::uint64_t{0x468C00000004}));
}

TEST_CASE("durability, expiry, time-out, capabilities and properties of a link arrive and are answered",
          "[2.7.3][3.5.3][3.5.4]") {
    Pair pair;
    std::optional<codec::Attach> seen;
    pair.server_log->take_receiver = [&](LinkRequest request) {
        seen = request.attach();
        ReceiverOptions answer;
        answer.link.offered_capabilities = {codec::Symbol("x-offered")};
        answer.link.properties = {{codec::Symbol("x-answer"), codec::Value(true)}};
        pair.server_receiver = request.accept_receiver(answer);
    };
    SenderOptions options;
    options.link.desired_capabilities = {codec::Symbol("x-offered")};
    options.link.properties = {{codec::Symbol("x-ask"), codec::Value("text")}};
    options.link.target = codec::Target{.address = "to",
                                        .durable = codec::TerminusDurability::unsettled_state,
                                        .expiry_policy = codec::TerminusExpiryPolicy::never,
                                        .timeout = 30,
                                        .capabilities = {codec::Symbol("queue")}};
    const Sender sender = pair.client.open_sender("to", options);
    pair.settle();
    REQUIRE(seen);
    CHECK(seen->target == options.link.target);
    CHECK(seen->desired_capabilities == options.link.desired_capabilities);
    CHECK(seen->properties == options.link.properties);
    REQUIRE(sender.remote() != nullptr);
    CHECK(sender.remote()->offered_capabilities == std::vector<codec::Symbol>{codec::Symbol("x-offered")});
    CHECK(sender.remote()->properties.find("x-answer") != nullptr);
    CHECK(sender.remote()->target == options.link.target);
}

TEST_CASE("the peer's attach is there as it came for as long as the link, whoever asks for it and when", "[2.7.3]") {
    struct Case {
        const char* what;
        std::function<void(LinkOptions&)> with;
    };
    const Case cases[] = {
        {"nothing but an address", [](LinkOptions&) {}},
        {"modes",
         [](LinkOptions& link) {
             link.snd_settle_mode = codec::SenderSettleMode::unsettled;
             link.rcv_settle_mode = codec::ReceiverSettleMode::second;
         }},
        {"sizes", [](LinkOptions& link) { link.message_size_max = 1000; }},
        {"no limit", [](LinkOptions& link) { link.message_size_max = 0; }},
        {"two addresses",
         [](LinkOptions& link) {
             link.source = codec::Source{.address = "from"};
             link.target = codec::Target{.address = "to"};
         }},
        {"an address of nothing", [](LinkOptions& link) { link.source = codec::Source{.address = ""}; }},
        {"a terminus with more to it",
         [](LinkOptions& link) { link.source = codec::Source{.address = "from", .timeout = 5}; }},
        {"capabilities", [](LinkOptions& link) { link.desired_capabilities = {codec::Symbol("x-wanted")}; }},
        {"properties",
         [](LinkOptions& link) {
             link.properties = {{codec::Symbol("x-ask"), codec::Value("text")}};
         }},
    };
    for (const bool sends : {true, false}) {
        for (const auto& [what, with] : cases) {
            INFO(what << (sends ? ", sending" : ", receiving"));
            Pair pair;
            std::optional<codec::Attach> came;
            pair.server_log->take_sender = [&](LinkRequest request) {
                came = request.attach();
                pair.server_sender = request.accept_sender();
            };
            pair.server_log->take_receiver = [&](LinkRequest request) {
                came = request.attach();
                pair.server_receiver = request.accept_receiver();
            };
            SenderOptions sending;
            ReceiverOptions receiving;
            with(sends ? sending.link : receiving.link);
            Sender sender;
            Receiver receiver;
            if (sends) {
                sender = pair.client.open_sender("node", sending);
            } else {
                receiver = pair.client.open_receiver("node", receiving);
            }
            pair.settle();
            REQUIRE(came);
            const auto theirs = [&] { return sends ? pair.server_receiver.remote() : pair.server_sender.remote(); };
            const codec::Attach* const kept = theirs();
            REQUIRE(kept != nullptr);
            CHECK(*kept == *came);
            CHECK(theirs() == kept);
            const codec::Attach* const answer = sends ? sender.remote() : receiver.remote();
            REQUIRE(answer != nullptr);
            CHECK(answer->name == came->name);
            CHECK(answer->name == (sends ? sender.name() : receiver.name()));
            CHECK(answer->role == codec::opposite(came->role));
            CHECK(answer->source == came->source);
            CHECK(answer->target == came->target);
            CHECK(answer->snd_settle_mode == came->snd_settle_mode);
            CHECK(answer->rcv_settle_mode == came->rcv_settle_mode);
            CHECK(answer->initial_delivery_count.has_value() == !sends);
            CHECK(answer->max_message_size.has_value() == sends);
            pair.client.close();
            pair.settle();
            CHECK(*kept == *came);
            CHECK(theirs() == kept);
        }
    }
}

TEST_CASE("several links share a session of their own, and a peer that ends it is reported", "[2.5.5]") {
    Pair pair;
    pair.accept_all();
    Session session = pair.client.open_session();
    const auto first_log = std::make_shared<SenderLog>(), second_log = std::make_shared<SenderLog>();
    const Sender first = session.open_sender("one", {}, first_log);
    const Sender second = session.open_sender("two", {}, second_log);
    const Tracker one = first.send("1"), two = second.send("2");
    pair.settle();
    CHECK(pair.server_receiver_log->texts == Events{"1", "2"});
    session.end(some_error());
    pair.settle();
    CHECK(pair.server_log->events == Events{"open", "receiver requested", "receiver requested", "remote end"});
    CHECK(pair.server_log->remote_error == some_error());
    CHECK(count(first_log->events, "close") == 1);
    CHECK(count(second_log->events, "close") == 1);
    CHECK(count(pair.server_receiver_log->events, "close") == 2);
    CHECK(pair.server_receiver_log->failure->code == Errc::ended_by_peer);
    CHECK(pair.client.is_open());
}

TEST_CASE("delivery tags may be chosen", "[2.6.12]") {
    Pair pair;
    pair.accept_all();
    const Sender sender = pair.client.open_sender("to");
    sender.send("m", {.tag = codec::DeliveryTag(std::string_view("mine"))});
    sender.send("m");
    pair.settle();
    REQUIRE(pair.server_receiver_log->kept.size() == 2);
    CHECK(pair.server_receiver_log->kept[0].tag().text() == "mine");
    CHECK(pair.server_receiver_log->kept[1].tag().text() != "mine");
}

TEST_CASE("credit can be changed: more is granted at once, what is too much is taken back", "[2.6.7]") {
    BytesPair pair(0, 100);
    pair.server_receiver.set_credit(10);
    pair.settle();
    CHECK(pair.sender.credit() == 10);
    const Message message(std::string("x"));
    for (int i = 0; i < 30; ++i) pair.sender.send(message);
    pair.settle();
    CHECK(pair.kept().size() == 10);
    pair.server_receiver.set_credit(25);
    pair.settle();
    CHECK(pair.kept().size() == 25);
    pair.server_receiver.set_credit(3);
    pair.kept().erase(pair.kept().begin(), pair.kept().begin() + 20);
    pair.settle();
    CHECK(pair.kept().size() == 5);  // more are held than it may have now
    pair.server_receiver.set_credit(0);
    pair.kept().clear();
    pair.settle();
    CHECK(pair.kept().size() == 3);
    CHECK(pair.sender.pending() == 5);  // two wait, and three have no outcome
}
