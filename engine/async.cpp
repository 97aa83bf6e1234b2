#include <aprotic/engine/async.hpp>

#include <fmt/core.h>

#include <aprotic/engine/state/loop.hpp>

namespace aprotic::engine::detail {

OperationBase::OperationBase(std::shared_ptr<Loop> loop, std::string what)
    : loop_(std::move(loop)), what_(std::move(what)) {}

OperationBase::~OperationBase() = default;

bool OperationBase::is_done() const {
    const std::lock_guard lock(mutex_);
    return done_;
}

void OperationBase::watch(Duration timeout, std::stop_token cancel) {
    timeout_ = bounded(timeout);
    auto arm = [weak = weak_from_this()] {
        const auto self = weak.lock();
        if (!self || self->is_done()) return;
        Reactor& reactor = self->loop_->reactor;
        self->timer_ = reactor.start_timer(reactor.now() + self->timeout_, [weak] {
            const auto late = weak.lock();
            if (!late) return;
            late->timer_ = 0;
            late->give_up(Errc::timed_out);
        });
    };
    if (loop_->reactor.on_thread()) {
        arm();
    } else {
        loop_->reactor.post(std::move(arm));
    }
    // Last: it may be requested already.
    if (cancel.stop_possible()) stop_.emplace(std::move(cancel), Canceller{weak_from_this()});
}

void OperationBase::Canceller::operator()() const {
    if (const auto self = operation.lock()) self->cancel();
}

void OperationBase::give_up(Errc why) {
    if (is_done()) return;
    if (give_up_) {
        loop_->reactor.post([self = shared_from_this(), why] {
            if (!self->is_done()) self->give_up_(why);
        });
        return;
    }
    std::string text = why == Errc::timed_out ? fmt::format("{} in time", what_) : fmt::format("{}: cancelled", what_);
    fail({.code = why, .condition = {}, .text = std::move(text)});
}

std::optional<Failure> OperationBase::block(std::unique_lock<std::mutex>& lock) {
    if (done_) return std::nullopt;
    if (loop_->reactor.on_thread()) {
        return Failure{.code = Errc::would_deadlock, .condition = {}, .text = "wait() on the reactor's own thread"};
    }
    // The reactor's timer ends it; the second more is for a borrowed reactor that nobody runs.
    if (changed_.wait_for(lock, timeout_ + std::chrono::seconds(1), [this] { return done_; })) return std::nullopt;
    return Failure{.code = Errc::timed_out, .condition = {}, .text = fmt::format("{} in time", what_)};
}

void OperationBase::post_delivery() {
    loop_->reactor.post([self = shared_from_this()] {
        try {
            self->deliver();
        } catch (...) {
            // As the declarations say: there is nobody to tell.
        }
    });
}

void OperationBase::ended() {
    auto disarm = [self = shared_from_this()] {
        if (self->timer_ != 0) self->loop_->reactor.cancel_timer(std::exchange(self->timer_, 0));
    };
    if (loop_->reactor.on_thread()) {
        disarm();
    } else {
        loop_->reactor.post(std::move(disarm));
    }
}

}  // namespace aprotic::engine::detail
