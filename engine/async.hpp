#pragma once

#include <condition_variable>
#include <cstdint>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <utility>

#include <aprotic/codec/result.hpp>
#include <aprotic/engine/failure.hpp>
#include <aprotic/engine/function.hpp>
#include <aprotic/engine/time.hpp>

namespace aprotic::engine {

struct Loop;

namespace detail {

/// What all operations have in common, whatever they give. Ends exactly once. Any thread.
class OperationBase : public std::enable_shared_from_this<OperationBase> {
public:
    OperationBase(std::shared_ptr<Loop> loop, std::string what);
    virtual ~OperationBase();
    OperationBase(const OperationBase&) = delete;
    OperationBase& operator=(const OperationBase&) = delete;

    /// From now on the operation ends at the latest after `timeout`, or when `cancel` is requested.
    void watch(Duration timeout, std::stop_token cancel);
    /// Who waits wants no more: ends as Errc::cancelled.
    void cancel() { give_up(Errc::cancelled); }
    bool is_done() const;
    /// What is done on the reactor's thread instead of just failing when who waits gives up. Before watch().
    void on_give_up(Function<void(Errc)> task) { give_up_ = std::move(task); }
    /// Ends with `why`, unless it has ended.
    virtual void fail(Failure why) = 0;
    /// No callback will be called any more.
    virtual void forget() = 0;

protected:
    void give_up(Errc why);
    /// Runs deliver() on the reactor's thread, outside of any call of the user's own.
    void post_delivery();
    /// Waits, at most as long as the operation may last. Refused on the reactor's thread.
    std::optional<Failure> block(std::unique_lock<std::mutex>& lock);
    void ended();
    virtual void deliver() = 0;

    mutable std::mutex mutex_;
    std::condition_variable changed_;
    bool done_ = false;

private:
    struct Canceller {
        std::weak_ptr<OperationBase> operation;
        void operator()() const;
    };

    const std::shared_ptr<Loop> loop_;
    const std::string what_;
    Duration timeout_{};
    Function<void(Errc)> give_up_;
    std::uint64_t timer_ = 0;  // reactor's thread
    std::optional<std::stop_callback<Canceller>> stop_;
};

template <class T>
class Operation final : public OperationBase {
public:
    using Value = codec::Result<T, Failure>;
    using OperationBase::OperationBase;

    /// Ends the operation. False, and `value` is untouched, if it has ended before.
    bool finish(Value&& value) {
        bool called = false;
        {
            const std::lock_guard lock(mutex_);
            if (done_) return false;
            done_ = true;
            result_.emplace(std::move(value));
            called = static_cast<bool>(callback_);
            changed_.notify_all();
        }
        ended();
        if (called) post_delivery();
        return true;
    }
    void fail(Failure why) override { static_cast<void>(finish(Value(std::move(why)))); }
    void forget() override {
        Function<void(Value)> dropped;  // destroyed without the lock
        const std::lock_guard lock(mutex_);
        dropped = std::move(callback_);
    }
    void then(Function<void(Value)> callback) {
        const std::lock_guard lock(mutex_);
        callback_ = std::move(callback);
        if (done_) post_delivery();
    }
    Value wait() {
        std::unique_lock lock(mutex_);
        if (auto failure = block(lock)) return std::move(*failure);
        return take();
    }
    /// Only when done.
    Value result() {
        const std::lock_guard lock(mutex_);
        return take();
    }

private:
    Value take() {
        Value value = std::move(*result_);
        result_.reset();
        return value;
    }
    void deliver() override {
        Function<void(Value)> callback;
        std::optional<Value> value;
        {
            const std::lock_guard lock(mutex_);
            if (!callback_) return;
            callback = std::move(callback_);
            value.emplace(take());
        }
        callback(std::move(*value));
    }

    std::optional<Value> result_;
    Function<void(Value)> callback_;
};

}  // namespace detail

/// An operation under way: it began with the call that gave this, ends once, and never later than the time it was
/// given. Wait for it, have it call you, take a future, or `co_await` it: one of these, once. Movable; any thread, one
/// at a time. Dropped before any of them, the operation is cancelled.
///
/// What it ends with is a Result. Errc::timed_out and Errc::cancelled are the failures that came from your side;
/// Errc::closed, when the reactor has stopped. Cancelling, here or by the std::stop_token that the call took, never
/// undoes what has left: see the call.
template <class T>
class [[nodiscard]] Async {
public:
    using Value = codec::Result<T, Failure>;

    Async(Async&&) noexcept = default;
    Async& operator=(Async&& other) noexcept {
        Async dropped(std::move(*this));
        operation_ = std::move(other.operation_);
        return *this;
    }
    ~Async() {
        if (operation_) operation_->cancel();
    }

    bool is_done() const { return operation_->is_done(); }
    void cancel() const { operation_->cancel(); }

    /// Blocks until it is done. On the reactor's thread it fails with Errc::would_deadlock unless it is done already.
    Value wait() && {
        Value value = operation_->wait();
        if (!operation_->is_done()) operation_->cancel();
        operation_.reset();
        return value;
    }
    /// Calls `done` once on the reactor's thread, never from inside this call. What it throws is dropped. When the
    /// reactor stops first it is destroyed uncalled.
    void then(Function<void(Value)> done) && { std::exchange(operation_, nullptr)->then(std::move(done)); }
    /// Not for the reactor's own thread: nothing would ever make it ready there. When the reactor stops first, the
    /// future says Errc::closed.
    std::future<Value> future() && {
        Promised promised;
        auto future = promised.promise.get_future();
        std::move(*this).then([promised = std::move(promised)](Value value) mutable {
            promised.kept = true;
            promised.promise.set_value(std::move(value));
        });
        return future;
    }

    /// Resumes on the reactor's thread; goes on at once where it is done already. A coroutine that is destroyed while
    /// it waits cancels the operation; do that on the reactor's thread. What leaves it by an exception is dropped.
    auto operator co_await() && { return Awaiter(std::exchange(operation_, nullptr)); }

    /// For the library.
    explicit Async(std::shared_ptr<detail::Operation<T>> operation) : operation_(std::move(operation)) {}

private:
    struct Promised {
        Promised() = default;
        Promised(Promised&& other) noexcept
            : promise(std::move(other.promise)), kept(std::exchange(other.kept, true)) {}
        ~Promised() {
            if (!kept)
                promise.set_value(Failure{.code = Errc::closed, .condition = {}, .text = "the reactor has stopped"});
        }
        std::promise<Value> promise;
        bool kept = false;
    };

    class Awaiter {
    public:
        explicit Awaiter(std::shared_ptr<detail::Operation<T>> operation) : operation_(std::move(operation)) {}
        Awaiter(const Awaiter&) = delete;
        Awaiter& operator=(const Awaiter&) = delete;
        ~Awaiter() {
            if (!operation_) return;
            operation_->forget();
            operation_->cancel();
        }
        bool await_ready() const { return operation_->is_done(); }
        template <class Handle>  // std::coroutine_handle, which not every compiler has under this name
        void await_suspend(Handle waiting) {
            // The coroutine may go on in another thread before then() has returned: nothing of it is touched after.
            const auto operation = operation_;
            operation->then([this, waiting](Value value) {
                value_.emplace(std::move(value));
                waiting.resume();
            });
        }
        Value await_resume() { return value_ ? std::move(*value_) : operation_->result(); }

    private:
        std::shared_ptr<detail::Operation<T>> operation_;
        std::optional<Value> value_;
    };

    std::shared_ptr<detail::Operation<T>> operation_;
};

}  // namespace aprotic::engine
