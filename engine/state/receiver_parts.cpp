#include <aprotic/engine/state/connection_state.hpp>
#include <aprotic/engine/state/receiver_state.hpp>

// Messages that are told part by part. What the application has not read stays with the engine, but for one helping
// that is held ready: so the session's window closes when it reads too slowly. [2.6.14]

namespace aprotic::engine {

// --- any thread ------------------------------------------------------------------------------------------------------

codec::Result<codec::ByteChain, Failure> ReceiverState::try_read(DeliveryId delivery, IncomingParts& parts,
                                                                 Duration timeout) {
    std::unique_lock lock(parts.mutex);
    const auto decided = [&] { return !parts.here.empty() || parts.complete || parts.ended; };
    if (!decided()) {
        if (timeout > Duration::zero() && reactor().on_thread()) {
            return failure(Errc::would_deadlock, "read() on the reactor's own thread");
        }
        if (!parts.changed.wait_for(lock, bounded(timeout), decided)) {
            return failure(Errc::timed_out, "no part of the message in time");
        }
    }
    if (parts.ended && parts.here.empty()) return *parts.ended;
    codec::ByteChain part = std::exchange(parts.here, {});
    const bool more = parts.more;
    lock.unlock();
    if (more) run([this, delivery] { fetch(delivery); });
    return part;
}

Async<codec::ByteChain> ReceiverState::async_read(DeliveryId delivery, const std::shared_ptr<IncomingParts>& parts,
                                                  Duration timeout, std::stop_token cancel) {
    auto [operation, async, completer] = begin_operation<codec::ByteChain>(
        loop(), description() + ": no part of the message", timeout, std::move(cancel));
    std::unique_lock lock(parts->mutex);
    if (parts->here.empty() && !parts->complete && !parts->ended) {
        parts->reader.emplace(std::move(completer));
        return std::move(async);
    }
    lock.unlock();
    auto part = try_read(delivery, *parts, Duration::zero());
    static_cast<void>(completer.finish(std::move(part)));
    return std::move(async);
}

// --- reactor's thread ------------------------------------------------------------------------------------------------

void ReceiverState::begin_parts(Delivery first) {
    Delivery::State& state = *first.state_;
    const DeliveryId delivery = state.id;
    const auto parts = std::make_shared<IncomingParts>();
    parts->here = std::exchange(state.incoming.payload, {});
    parts->complete = state.incoming.complete;
    state.parts = parts;
    ++held_;
    complete(state);
    if (handler_) {
        under_way_.put(delivery, UnderWay{parts, std::move(first)});
        tell_part(delivery);
    } else {
        if (!parts->complete) under_way_.put(delivery, UnderWay{parts, std::nullopt});
        hand_out(std::move(first));
    }
    top_up();
}

void ReceiverState::more_parts(DeliveryId delivery) {
    const auto parts = under_way_.find(delivery)->parts;
    {
        const std::lock_guard lock(parts->mutex);
        parts->more = true;
    }
    fetch(delivery);
}

void ReceiverState::fetch(DeliveryId delivery) {
    const UnderWay* const found = under_way_.find(delivery);
    if (found == nullptr) return;
    const auto parts = found->parts;
    take_part(delivery, *parts);
    if (found->kept) return tell_part(delivery);
    const std::lock_guard lock(parts->mutex);
    if (parts->complete) under_way_.erase(delivery);  // all of it has left the engine
}

void ReceiverState::take_part(DeliveryId delivery, IncomingParts& parts) {
    Engine* engine = connection ? connection->engine() : nullptr;
    const std::lock_guard lock(parts.mutex);
    if (engine == nullptr || !parts.more || !parts.here.empty()) return;
    auto incoming = engine->take(delivery);
    if (!incoming) return;
    parts.more = false;
    ++parts.taken;
    parts.here = std::move(incoming->payload);
    parts.complete = incoming->complete;
    connection->wake();
    parts.changed.notify_all();
    if (!parts.reader) return;
    auto part = codec::Result<codec::ByteChain, Failure>(std::move(parts.here));
    parts.here = {};
    if (!parts.reader->finish(std::move(part))) parts.here = std::move(*part);  // it has given up
    parts.reader.reset();
}

void ReceiverState::tell_part(DeliveryId delivery_id) {
    UnderWay* found = under_way_.find(delivery_id);
    if (found == nullptr || !found->kept || !handler_) return;
    const auto parts = found->parts;
    Delivery delivery = std::move(*found->kept);
    found->kept.reset();  // so that nothing that the handler does comes here again
    Receiver handle(shared());
    const auto handler = handler_;
    bool again = true;
    while (again) {
        const std::uint64_t before = parts->taken;
        connection->call([&] { handler->on_part(handle, delivery); });
        const bool ours = delivery.state_ && !delivery.state_->answered && connection != nullptr && !closing;
        // What it has read was replaced at once by what came meanwhile, of which nobody else will tell it.
        again = ours && parts->taken != before;
    }
    found = under_way_.find(delivery_id);
    if (found == nullptr) return;  // settled meanwhile
    const auto over = [&] {
        const std::lock_guard lock(parts->mutex);
        return parts->complete || parts->ended;
    };
    if (over()) {
        under_way_.erase(delivery_id);
    } else if (delivery.state_) {
        found->kept = std::move(delivery);
    }
}

void ReceiverState::end_parts(IncomingParts& parts, Failure why) {
    std::optional<Completer<codec::ByteChain>> reader;
    const std::lock_guard lock(parts.mutex);
    if (parts.complete) return;
    parts.here.clear();
    parts.more = false;
    parts.ended = std::move(why);
    parts.changed.notify_all();
    if (parts.reader) parts.reader->fail(*parts.ended);
    parts.reader.reset();
}

}  // namespace aprotic::engine
