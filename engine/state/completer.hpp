#pragma once

#include <memory>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include <aprotic/engine/async.hpp>
#include <aprotic/engine/state/loop.hpp>

namespace aprotic::engine {

/// The library's end of an Async. Movable; any thread. Dropped, it ends the operation: the reactor has stopped.
template <class T>
class Completer {
public:
    using Value = codec::Result<T, Failure>;

    explicit Completer(std::shared_ptr<detail::Operation<T>> operation) : operation_(std::move(operation)) {}
    Completer(Completer&&) noexcept = default;
    Completer& operator=(Completer&& other) noexcept {
        Completer dropped(std::move(*this));
        operation_ = std::move(other.operation_);
        return *this;
    }
    ~Completer() {
        if (operation_) fail({.code = Errc::closed, .condition = {}, .text = "the reactor has stopped"});
    }

    /// False, and `value` is untouched, when who waits has given up.
    bool finish(Value&& value) { return std::exchange(operation_, nullptr)->finish(std::move(value)); }
    void fail(Failure why) { std::exchange(operation_, nullptr)->fail(std::move(why)); }
    bool is_done() const { return operation_->is_done(); }
    void forget() const { operation_->forget(); }

private:
    std::shared_ptr<detail::Operation<T>> operation_;
};

/// Both ends of a new operation. `what`: what has not happened when it times out, for its text.
template <class T>
struct Begun {
    Begun(const std::shared_ptr<Loop>& loop, std::string what)
        : operation(std::make_shared<detail::Operation<T>>(loop, std::move(what))),
          async(operation),
          completer(operation) {}

    std::shared_ptr<detail::Operation<T>> operation;
    Async<T> async;
    Completer<T> completer;
};

template <class T>
Begun<T> begin_operation(const std::shared_ptr<Loop>& loop, std::string what, Duration timeout,
                         std::stop_token cancel) {
    Begun<T> begun(loop, std::move(what));
    begun.operation->watch(timeout, std::move(cancel));
    return begun;
}

/// Operations that wait for the same thing. Reactor's thread.
template <class T>
class Waiters {
public:
    using Value = typename Completer<T>::Value;

    void add(Completer<T> waiter) {
        std::erase_if(waiting_, [](const auto& one) { return one.is_done(); });
        waiting_.push_back(std::move(waiter));
    }
    /// `value`: nothing for Waiters<void>.
    template <class... V>
    void succeed(const V&... value) {
        for (auto& one : std::exchange(waiting_, {})) static_cast<void>(one.finish(Value(value...)));
    }
    void fail(const Failure& why) {
        for (auto& one : std::exchange(waiting_, {})) one.fail(why);
    }
    bool empty() const noexcept { return waiting_.empty(); }
    void forget() const {
        for (const auto& one : waiting_) one.forget();
    }

private:
    std::vector<Completer<T>> waiting_;
};

}  // namespace aprotic::engine
