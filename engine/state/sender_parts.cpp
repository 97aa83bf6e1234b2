#include <fmt/core.h>

#include <aprotic/engine/state/connection_state.hpp>
#include <aprotic/engine/state/sender_state.hpp>

// What a sending link does beside whole messages from threads that may wait: messages in parts, and without blocking.

namespace aprotic::engine {

// --- any thread ------------------------------------------------------------------------------------------------------

Async<Outcome> SenderState::async_wait(const TrackerState& tracker, Duration timeout, std::stop_token cancel) {
    Begun<Outcome> begun(tracker->home->loop, "the message has no outcome");
    begun.operation->on_give_up([tracker, weak = std::weak_ptr(begun.operation)](Errc why) {
        const auto sender = tracker->home->sender.lock();
        if (sender && sender->cancel(tracker, why)) return;  // its end is told as any other
        const auto operation = weak.lock();
        if (!operation) return;
        Failure failure{.code = why, .condition = {}, .text = "the message is on its way, without an outcome so far"};
        static_cast<void>(operation->finish(Outcome{.kind = Outcome::Kind::in_doubt, .failure = std::move(failure)}));
    });
    tracker->add_waiter(std::move(begun.completer));
    begun.operation->watch(timeout, std::move(cancel));
    return std::move(begun.async);
}

Async<Outcome> SenderState::async_send(codec::EncodedMessage message, Duration timeout, std::stop_token cancel,
                                       const SendParameters& parameters) {
    const auto tracker = make_tracker(std::move(message), parameters, reactor().on_thread());
    auto waiting = async_wait(tracker, timeout, std::move(cancel));
    const auto self = std::static_pointer_cast<SenderState>(shared_from_this());
    budget_.take_later(tracker->bytes, [self, tracker](ByteBudget::Answer answer) {
        self->run([self = self.get(), tracker, answer] {
            tracker->counted = answer == ByteBudget::Answer::taken;
            if (tracker->counted || tracker->stage == Tracker::State::Stage::finished) return self->enqueue(tracker);
            self->finish(tracker, self->not_sent(Errc::closed, "the link has ended"), Callback::later);
        });
    });
    return waiting;
}

OutgoingDelivery SenderState::begin(const SendParameters& parameters, std::uint32_t message_format) {
    const auto tracker = make_tracker({}, parameters, reactor().on_thread());
    tracker->options.message_format = message_format;
    tracker->parts = std::make_unique<OutgoingParts>(budget_.max());
    hand_to_reactor(tracker);
    return {std::static_pointer_cast<SenderState>(shared_from_this()), Tracker(tracker)};
}

/// Why no part is taken any more.
Failure SenderState::ended_early(const TrackerState& tracker) const {
    if (const Outcome* const outcome = tracker->outcome(); outcome != nullptr && outcome->failure)
        return *outcome->failure;
    return {.code = Errc::wrong_state,
            .condition = {},
            .text = fmt::format("{}: the message has ended before its last part", description())};
}

codec::Result<void, Failure> SenderState::append(const TrackerState& tracker, codec::ByteChain part,
                                                 std::optional<Duration> timeout) {
    const auto failed = [this](Errc code, const char* text) {
        return Failure{.code = code, .condition = {}, .text = fmt::format("{}: {}", description(), text)};
    };
    switch (tracker->parts->budget.take(part.size(), !reactor().on_thread(), timeout)) {
        case ByteBudget::Answer::taken: break;
        case ByteBudget::Answer::full:
            return failed(Errc::queue_full, "too much of the message waits (option queue_bytes_max)");
        case ByteBudget::Answer::timed_out:
            return failed(Errc::timed_out, "no room for the part in time (option queue_bytes_max)");
        case ByteBudget::Answer::closed: return ended_early(tracker);
    }
    run([this, tracker, part = std::move(part)]() mutable { add_part(tracker, std::move(part)); });
    return {};
}

Async<void> SenderState::async_append(const TrackerState& tracker, codec::ByteChain part, Duration timeout,
                                      std::stop_token cancel) {
    Begun<void> begun(loop(), description() + ": no room for the part (option queue_bytes_max)");
    begun.operation->watch(timeout, std::move(cancel));
    const auto self = std::static_pointer_cast<SenderState>(shared_from_this());
    const std::size_t bytes = part.size();
    tracker->parts->budget.take_later(bytes, [self, tracker, part = std::move(part),
                                              waiter = std::move(begun.completer)](ByteBudget::Answer answer) mutable {
        if (answer == ByteBudget::Answer::closed) return waiter.fail(self->ended_early(tracker));
        self->run([self = self.get(), tracker, part = std::move(part), waiter = std::move(waiter)]() mutable {
            // Whoever has given up must not find the part in the message.
            if (!waiter.finish({})) return tracker->parts->budget.give_back(part.size());
            self->add_part(tracker, std::move(part));
        });
    });
    return std::move(begun.async);
}

// --- reactor's thread ------------------------------------------------------------------------------------------------

codec::Result<DeliveryId> SenderState::begin_parts(Engine& engine, const TrackerState& tracker) {
    OutgoingParts& parts = *tracker->parts;
    codec::ByteChain before = std::exchange(parts.before, {});
    if (parts.whole) {
        codec::EncodedMessage message(std::move(before), tracker->options.message_format);
        return engine.send(*id, std::move(message), tracker->options);
    }
    const auto begun = engine.begin_send(*id, tracker->options);
    if (!begun || before.empty()) return begun;
    if (const auto waiting = engine.append(*begun, std::move(before)); !waiting) {
        static_cast<void>(engine.abort_send(*begun));
        return waiting.error();
    }
    return begun;
}

void SenderState::add_part(const TrackerState& tracker, codec::ByteChain part) {
    using Stage = Tracker::State::Stage;
    OutgoingParts& parts = *tracker->parts;
    const std::size_t bytes = part.size();
    parts.counted += bytes;
    if (tracker->stage == Stage::queued) return parts.before.append(part);
    Engine* engine = connection ? connection->engine() : nullptr;
    // Its end has closed the budget already: the next append hears of it.
    if (tracker->stage == Stage::finished || engine == nullptr) return;
    const auto waiting = engine->append(tracker->id, std::move(part));
    if (!waiting) {
        if (waiting.error() != make_error_code(Errc::message_too_large)) return;  // the link goes away
        static_cast<void>(engine->abort_send(tracker->id));
        let_go(*tracker);
        return finish(tracker, not_sent(Errc::message_too_large, waiting.error().message()), Callback::later);
    }
    count_parts(tracker, *waiting);
    connection->wake(bytes);
}

void SenderState::count_parts(const TrackerState& tracker, std::size_t waiting) {
    if (!tracker->parts || tracker->parts->counted <= waiting) return;
    OutgoingParts& parts = *tracker->parts;
    parts.budget.give_back(std::exchange(parts.counted, waiting) - waiting);
}

void SenderState::finish_parts(const TrackerState& tracker) {
    Engine* engine = connection ? connection->engine() : nullptr;
    if (tracker->stage == Tracker::State::Stage::finished || std::exchange(tracker->parts->whole, true)) return;
    if (tracker->stage != Tracker::State::Stage::with_engine || engine == nullptr) return;
    static_cast<void>(engine->finish_send(tracker->id));
    connection->wake();
}

void SenderState::abort_parts(const TrackerState& tracker) {
    Engine* engine = connection ? connection->engine() : nullptr;
    if (tracker->stage == Tracker::State::Stage::finished || tracker->parts->whole) return;
    if (tracker->stage == Tracker::State::Stage::queued) {
        if (tracker->number != 0) messages_->queue.remove(*tracker);
    } else if (engine != nullptr && engine->abort_send(tracker->id)) {
        let_go(*tracker);
        connection->wake();
        look_again();
    } else {
        return;  // the link goes away, and tells
    }
    finish(tracker, not_sent(Errc::aborted, "the message was aborted"), Callback::later);
}

}  // namespace aprotic::engine
