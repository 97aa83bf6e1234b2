#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#include <aprotic/driver/operation.hpp>

namespace aprotic::driver::bus {

/// Begins an operation and blocks until it is over. Its deadline is the operation's own: nothing is ever left without
/// an end.
template <class T>
Result<T> wait_for(detail::Operation<T> operation) {
    struct Shared {
        std::mutex mutex;
        std::condition_variable ended;
        std::optional<Result<T>> result;
    };
    const auto shared = std::make_shared<Shared>();
    operation([shared](Result<T> result) {
        const std::lock_guard lock(shared->mutex);
        shared->result.emplace(std::move(result));
        shared->ended.notify_one();
    });
    std::unique_lock lock(shared->mutex);
    shared->ended.wait(lock, [&] { return shared->result.has_value(); });
    return std::move(*shared->result);
}

}  // namespace aprotic::driver::bus
