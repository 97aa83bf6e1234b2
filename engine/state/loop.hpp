#pragma once

#include <memory>
#include <mutex>

#include <aprotic/engine/asio_reactor.hpp>
#include <aprotic/engine/reactor.hpp>
#include <aprotic/engine/state/recycler.hpp>

namespace aprotic::engine {

/// The reactor as everything made by a container sees it. Each of these holds it, so that a handle which outlives its
/// container still has something to post to: the post is then dropped.
struct Loop {
    explicit Loop(Reactor& borrowed) : reactor(borrowed) {}
    explicit Loop(std::unique_ptr<AsioReactor> own_reactor) : own(std::move(own_reactor)), reactor(*own) {}

    std::unique_ptr<AsioReactor> own;  ///< null when borrowed
    Reactor& reactor;
    /// Of trackers, deliveries and what belongs to them. They hold it themselves: they may outlive the loop.
    const std::shared_ptr<Recycler> recycler = std::make_shared<Recycler>();
};

/// What the user's handles of one endpoint share, beside the endpoint's state: when the last of them goes, the state is
/// told. Handles point to the state and own this, so the library's own references do not count.
template <class State>
struct Held {
    Held(std::shared_ptr<State> s, std::shared_ptr<void> k) : state(std::move(s)), keeps(std::move(k)) {}
    ~Held() { state->handles_gone(); }
    Held(const Held&) = delete;
    Held& operator=(const Held&) = delete;

    std::shared_ptr<State> state;
    std::shared_ptr<void> keeps;  ///< the handles of what this endpoint lives in
};

/// The counted pointer for a first handle; its copies share the count. `keeps` is held as long.
template <class State>
std::shared_ptr<State> make_held(const std::shared_ptr<State>& state, std::shared_ptr<void> keeps = nullptr) {
    return std::shared_ptr<State>(std::make_shared<Held<State>>(state, std::move(keeps)), state.get());
}

/// `timeout` such that adding it to a clock's present does not overflow.
inline Duration bounded(Duration timeout) {
    constexpr Duration longest = std::chrono::hours(24 * 365 * 10);
    return timeout < longest ? timeout : longest;
}

}  // namespace aprotic::engine
