#pragma once

#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "fuzzer/campaign.hpp"
#include "peer/frames.hpp"

namespace aprotic::fuzzer {

/// A small broker in memory with one planted fault: the fuzzer must find it. Without one it does what it should, as far
/// as the fuzzer asks.
class PlantedServer final : public Target {
public:
    /// "dies of a handle", "hangs of an id", "leaks links", "ends others", "keeps its peace", "speaks after close",
    /// or none.
    explicit PlantedServer(std::string fault = {}) : fault_(std::move(fault)) {}
    ~PlantedServer() override;

    std::unique_ptr<peer::Channel> connect(Duration patience, std::string& why) override;
    bool restart() override;
    std::optional<std::uint64_t> memory() override { return 10'000'000 + leaked_; }
    Duration now() override { return now_; }
    void wait(Duration how_long) override { now_ += how_long; }

    bool can_restart = true;
    unsigned restarts = 0;
    std::vector<Duration> connected_at;  // every connection takes a tenth of a millisecond

private:
    class Connection;
    class Line;

    struct Consumer {
        Connection* connection = nullptr;
        std::uint16_t channel = 0;
        std::uint32_t handle = 0;
        std::uint32_t credit = 0;
        std::uint32_t sent = 0;
    };
    struct Queue {
        std::deque<codec::Bytes> messages;
        std::vector<Consumer> consumers;
    };

    bool has(std::string_view fault) const { return fault_ == fault; }
    void deliver(Queue& queue);
    /// It gets nothing any more.
    void forget(Connection* connection);

    std::string fault_;
    Duration now_{};
    bool dead_ = false;
    bool hung_ = false;
    std::uint64_t leaked_ = 0;
    std::set<Connection*> connections_;
    std::map<std::string, Queue> queues_;
};

}  // namespace aprotic::fuzzer
