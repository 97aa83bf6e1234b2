#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <vector>

#include <aprotic/driver/rpc_server.hpp>
#include <aprotic/engine/function.hpp>
#include <aprotic/engine/time.hpp>

namespace aprotic::driver::bus {

/// What a server has answered to idempotent requests, and which of them run. Any thread.
class ReplyWindow {
public:
    using Text = std::shared_ptr<const std::string>;  ///< of a whole reply
    using Waiter = engine::Function<void(const Text&)>;

    explicit ReplyWindow(const IdempotencyWindow& bounds) : bounds_(bounds) {}

    struct Verdict {
        enum class Kind {
            run,     ///< the first of its key: finish() must follow
            wait,    ///< it runs already: `waiter` will be called
            answer,  ///< with `reply`
        };
        Kind kind = Kind::run;
        Text reply = nullptr;
        std::stop_source running = std::stop_source(std::nostopstate);  ///< wait: of the request that runs
    };
    /// A request has come. `content` stands for method and arguments: another under the same key is refused.
    Verdict begin(const std::string& key, std::uint64_t content, engine::Instant now, const std::stop_source& stop,
                  Waiter waiter);
    /// It has been answered. What was given up is not kept, so that a repeat may try again.
    void finish(const std::string& key, Text reply, engine::Instant now, bool keep);

    std::size_t bytes() const;
    std::size_t size() const;

private:
    /// What may wait for one request that runs.
    static constexpr std::size_t waiters_max = 16;

    struct Entry {
        std::uint64_t content = 0;
        Text reply;  ///< null while it runs
        std::vector<Waiter> waiters;
        std::stop_source running = std::stop_source(std::nostopstate);
    };
    struct Answered {
        engine::Instant when;
        std::string key;
        std::size_t bytes = 0;
    };
    void shrink(engine::Instant now);

    const IdempotencyWindow bounds_;
    mutable std::mutex mutex_;
    std::map<std::string, Entry> entries_;
    std::deque<Answered> answered_;
    std::size_t bytes_ = 0;
};

}  // namespace aprotic::driver::bus
