#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include <catch2/catch.hpp>

#include <aprotic/driver/rpc.hpp>
#include <aprotic/engine/broker.hpp>
#include <aprotic/engine/container.hpp>

#include "sim/sim_reactor.hpp"

namespace aprotic::test {

using namespace aprotic::driver;

/// Virtual time, a broker at amqp://broker, and as many transports as a test wants.
struct World {
    sim::SimReactor reactor;
    std::optional<engine::Container> container;
    std::optional<engine::Broker> broker;
    engine::BrokerOptions broker_options;

    explicit World(engine::BrokerOptions options = {}) : reactor(7), broker_options(std::move(options)) {
        start_broker();
    }

    void start_broker() {
        container.emplace(reactor, "broker");
        broker.emplace(*container, broker_options);
        REQUIRE(broker->listen({.host = "broker", .port = 5672}));
    }
    /// Its connections are cut and nobody listens at its address any more.
    void stop_broker() {
        broker.reset();
        container.reset();
    }
    std::optional<engine::NodeStatus> node(const std::string& address) {
        for (auto& status : broker->nodes())
            if (status.address == address) return status;
        return std::nullopt;
    }
    std::unique_ptr<Transport> transport(std::string_view url = "amqp://broker", TransportOptions options = {}) {
        return std::make_unique<Transport>(reactor, url, std::move(options));
    }
    void settle() { reactor.settle(); }

    /// A call in flight, and what came of it.
    struct Pending {
        std::shared_ptr<std::optional<Result<Json>>> result = std::make_shared<std::optional<Result<Json>>>();
        CallHandle handle;

        bool ended() const { return result->has_value(); }
        const Json& value() const {
            REQUIRE(ended());
            INFO((*result)->error().message());
            REQUIRE((*result)->has_value());
            return ***result;
        }
        CallFailure failure() const {
            REQUIRE(ended());
            REQUIRE_FALSE((*result)->has_value());
            return (*result)->error();
        }
    };
    Pending begin_call(const RpcClient& client, std::string method, Json args = {},
                       std::optional<Duration> timeout = {}) {
        Pending pending;
        pending.handle = client.async_call(std::move(method), std::move(args), timeout,
                                           [into = pending.result](Result<Json> result) {
                                               REQUIRE_FALSE(into->has_value());
                                               *into = std::move(result);
                                           });
        return pending;
    }
    Pending call(const RpcClient& client, std::string method, Json args = {}, std::optional<Duration> timeout = {}) {
        auto pending = begin_call(client, std::move(method), std::move(args), timeout);
        finish(pending);
        return pending;
    }
    Pending begin_cast(const RpcClient& client, std::string method, Json args = {},
                       std::optional<Duration> timeout = {}) {
        Pending pending;
        pending.handle = client.async_cast(std::move(method), std::move(args), timeout,
                                           [into = pending.result](Result<void> result) {
                                               REQUIRE_FALSE(into->has_value());
                                               *into = result ? Result<Json>(Json()) : Result<Json>(result.error());
                                           });
        return pending;
    }
    Pending cast(const RpcClient& client, std::string method, Json args = {}, std::optional<Duration> timeout = {}) {
        auto pending = begin_cast(client, std::move(method), std::move(args), timeout);
        finish(pending);
        return pending;
    }
    void finish(const Pending& pending) {
        REQUIRE(reactor.run_until([&] { return pending.ended(); }, std::chrono::hours(1)));
    }
};

}  // namespace aprotic::test
