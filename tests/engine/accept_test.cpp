#include "engine/pair.hpp"

using namespace aprotic;
using namespace aprotic::engine;
using namespace aprotic::engine::test;

TEST_CASE("a request that nobody answers is refused with amqp-not-implemented") {
    Pair pair;
    pair.server_log->take_receiver = [](LinkRequest) {};
    const auto log = std::make_shared<SenderLog>();
    pair.client.open_sender("to", {}, log);
    pair.settle();
    REQUIRE(log->failure);
    CHECK(log->failure->condition->condition == codec::condition::not_implemented);
}

TEST_CASE("the handler's defaults refuse links with amqp-not-implemented") {
    sim::SimReactor reactor;
    Container server(reactor), client(reactor);
    auto [near, far] = make_memory_streams(reactor);
    server.adopt(std::move(far), true, {}, std::make_shared<ConnectionHandler>());
    const Connection connection = client.adopt(std::move(near), false);
    const auto log = std::make_shared<SenderLog>();
    const auto receiver_log = std::make_shared<ReceiverLog>();
    connection.open_sender("to", {}, log);
    connection.open_receiver("from", {}, receiver_log);
    reactor.settle();
    CHECK(log->failure->condition->condition == codec::condition::not_implemented);
    CHECK(receiver_log->failure->condition->condition == codec::condition::not_implemented);
}

TEST_CASE("a request answered after its link or connection has gone comes to nothing") {
    Pair pair;
    {
        const Sender sender = pair.client.open_sender("to");
        const Receiver receiver = pair.client.open_receiver("from");
        pair.settle();
    }
    pair.settle();  // the handles have gone, so the links have
    REQUIRE(pair.server_log->requests.size() == 2);
    const auto late = std::make_shared<ReceiverLog>();
    auto receiver = pair.server_log->requests[0].accept_receiver({}, late);
    pair.settle();
    CHECK(late->events == Events{"close"});
    pair.client.close();
    pair.settle();
    pair.server_log->requests[1].refuse(some_error());
    pair.settle();
    CHECK(pair.server_log->events.back() == "close");
}
