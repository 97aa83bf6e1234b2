#include <aprotic/engine/delivery.hpp>
#include <aprotic/engine/outgoing_delivery.hpp>

#include <fmt/core.h>

#include <aprotic/engine/state/receiver_state.hpp>
#include <aprotic/engine/state/sender_state.hpp>
#include <aprotic/engine/state/tracker_state.hpp>

namespace aprotic::engine {

std::string_view name_of(Outcome::Kind kind) noexcept {
    switch (kind) {
        case Outcome::Kind::accepted: return "accepted";
        case Outcome::Kind::rejected: return "rejected";
        case Outcome::Kind::released: return "released";
        case Outcome::Kind::modified: return "modified";
        case Outcome::Kind::sent: return "sent";
        case Outcome::Kind::not_sent: return "not sent";
        case Outcome::Kind::in_doubt: return "in doubt";
        case Outcome::Kind::rolled_back: return "rolled back";
    }
    return "unknown";
}

std::string Outcome::message() const {
    std::string line(name_of(kind));
    if (condition) {
        line += fmt::format(": {}", condition->condition.view());
        if (condition->description) line += fmt::format(" \"{}\"", *condition->description);
    }
    if (delivery_failed) line += ", delivery failed";
    if (undeliverable_here) line += ", undeliverable here";
    if (failure) line += fmt::format(": {}", failure->message());
    return line;
}

// --- Tracker ---------------------------------------------------------------------------------------------------------

Tracker::Tracker(const TrackerRef& state) noexcept : state_(TrackerRef(state).leave()) {}
Tracker::Tracker(TrackerRef&& state) noexcept : state_(state.leave()) {}
Tracker::Tracker(const Tracker& other) noexcept : state_(other.ref().leave()) {}
Tracker::~Tracker() {
    if (state_ != nullptr) state_->release();
}
TrackerRef Tracker::ref() const noexcept { return TrackerRef(state_); }

std::optional<Outcome> Tracker::outcome() const {
    const Outcome* const known = state_->outcome();
    return known != nullptr ? std::optional(*known) : std::nullopt;
}

codec::Result<Outcome> Tracker::try_wait(Duration timeout) const {
    const Outcome* known = state_->outcome();
    if (known == nullptr) {
        if (state_->home->loop->reactor.on_thread()) return make_error_code(Errc::would_deadlock);
        known = state_->wait_for(timeout);
        if (known == nullptr) return make_error_code(Errc::timed_out);
    }
    return *known;
}

Outcome Tracker::wait(Duration timeout) const {
    auto outcome = try_wait(timeout);
    if (!outcome) throw std::system_error(outcome.error(), "waiting for a message's outcome");
    return std::move(*outcome);
}

Async<Outcome> Tracker::async_wait(Duration timeout, std::stop_token cancel) const {
    return SenderState::async_wait(ref(), timeout, std::move(cancel));
}

void Tracker::on_done(Function<void(const Outcome&)> done) const {
    if (state_->on_done(done)) return;
    state_->home->loop->reactor.post([state = ref(), done = std::move(done)]() mutable {
        const auto sender = state->home->sender.lock();
        SenderState::call_back(sender ? sender->connection : nullptr, done, *state->outcome());
    });
}

void Tracker::cancel() const {
    const auto sender = state_->home->sender.lock();
    if (sender) sender->run([sender = sender.get(), state = ref()] { sender->cancel(state); });
}

std::optional<Outcome> Tracker::provisional() const {
    const std::lock_guard lock(state_->home->mutex);
    return state_->provisional ? std::optional(*state_->provisional) : std::nullopt;
}

void* Tracker::context() const { return state_->context; }

void Tracker::settle(const codec::Outcome& outcome) const {
    if (const auto sender = state_->home->sender.lock()) sender->settle(ref(), outcome);
}

// --- Delivery --------------------------------------------------------------------------------------------------------

Delivery::Delivery(std::unique_ptr<State> state) : state_(std::move(state)) {}

// Whoever moves it away from a handler keeps it for longer than the handler runs.
Delivery::Delivery(Delivery&& other) noexcept : state_(std::move(other.state_)) {
    if (state_) state_->hold();
}

Delivery& Delivery::operator=(Delivery&& other) noexcept {
    if (this == &other) return *this;
    Delivery dropped(std::move(*this));
    state_ = std::move(other.state_);
    if (state_) state_->hold();
    return *this;
}

Delivery::~Delivery() {
    if (!state_) return;
    // Answered within a transaction: if that is rolled back, the message goes back with it.
    if (state_->provisional && state_->provisional->drop()) return;
    release();
}

const codec::MessageView& Delivery::message() const { return state_->view; }
const codec::ByteChain& Delivery::payload() const { return state_->view.octets(); }
std::uint32_t Delivery::message_format() const { return state_->incoming.message_format; }
const codec::DeliveryTag& Delivery::tag() const { return state_->incoming.tag; }
bool Delivery::is_settled() const { return state_->incoming.settled; }

const codec::Binary* Delivery::txn_id() const {
    const auto& state = state_->incoming.state;
    const auto* transactional = state ? std::get_if<codec::TransactionalState>(&*state) : nullptr;
    return transactional ? &transactional->txn_id : nullptr;
}

void Delivery::answer(codec::Outcome outcome) {
    const codec::Binary* const within = txn_id();
    if (within == nullptr) return settle(to_state(std::move(outcome)));
    if (!state_->begin_answer()) return;
    state_->receiver->settle_within(state_->id, state_->bytes, {.txn_id = *within, .outcome = std::move(outcome)},
                                    state_->acquired_in);
}

void Delivery::accept() {
    if (state_->incoming.state && txn_id() != nullptr) return answer(codec::Accepted{});
    if (state_->begin_answer()) state_->receiver->accept(state_->id, state_->bytes);
}
void Delivery::release() {
    if (state_->incoming.state && txn_id() != nullptr) return answer(codec::Released{});
    if (state_->begin_answer()) state_->receiver->release(state_->id, state_->bytes);
}

void Delivery::reject(std::optional<codec::ErrorCondition> why) { answer(codec::Rejected{.error = std::move(why)}); }

void Delivery::modify(bool delivery_failed, bool undeliverable_here, codec::Map annotations) {
    answer(codec::Modified{.delivery_failed = delivery_failed,
                           .undeliverable_here = undeliverable_here,
                           .message_annotations = std::move(annotations)});
}

void Delivery::settle(codec::DeliveryState state) {
    if (state_->begin_answer()) state_->receiver->settle(state_->id, state_->bytes, std::move(state));
}

Async<void> Delivery::async_settle(codec::DeliveryState outcome, Duration timeout, std::stop_token cancel) {
    ReceiverState& receiver = *state_->receiver;
    if (state_->incoming.settled || !state_->begin_answer()) {
        Begun<void> refused(receiver.loop(), "");
        refused.completer.fail({.code = Errc::wrong_state, .condition = {}, .text = "the delivery is settled already"});
        return std::move(refused.async);
    }
    return receiver.async_settle(state_->id, state_->bytes, std::move(outcome), timeout, std::move(cancel));
}

bool Delivery::is_in_parts() const { return state_->parts != nullptr; }

codec::Result<codec::ByteChain, Failure> Delivery::try_read(Duration timeout) {
    if (!state_->parts) {
        return Failure{.code = Errc::wrong_state, .condition = {}, .text = "the message came whole: see payload()"};
    }
    return state_->receiver->try_read(state_->id, *state_->parts, timeout);
}

codec::ByteChain Delivery::read(Duration timeout) {
    auto part = try_read(timeout);
    if (!part) throw std::system_error(part.error().code, part.error().message());
    return std::move(*part);
}

Async<codec::ByteChain> Delivery::async_read(Duration timeout, std::stop_token cancel) {
    if (state_->parts) return state_->receiver->async_read(state_->id, state_->parts, timeout, std::move(cancel));
    Begun<codec::ByteChain> refused(state_->receiver->loop(), "");
    refused.completer.fail(try_read({}).error());
    return std::move(refused.async);
}

// --- OutgoingDelivery ------------------------------------------------------------------------------------------------

OutgoingDelivery& OutgoingDelivery::operator=(OutgoingDelivery&& other) noexcept {
    OutgoingDelivery dropped(std::move(*this));
    state_ = std::move(other.state_);
    tracker_ = std::move(other.tracker_);
    return *this;
}

OutgoingDelivery::~OutgoingDelivery() {
    if (state_) abort();
}

codec::Result<void, Failure> OutgoingDelivery::append(codec::ByteChain part, std::optional<Duration> timeout) {
    return state_->append(tracker_.ref(), std::move(part), timeout);
}

Async<void> OutgoingDelivery::async_append(codec::ByteChain part, Duration timeout, std::stop_token cancel) {
    return state_->async_append(tracker_.ref(), std::move(part), timeout, std::move(cancel));
}

codec::Result<void, Failure> OutgoingDelivery::append_data(codec::Bytes octets, std::optional<Duration> timeout) {
    // A message of one data section is that section.
    return append(codec::encode(codec::Message::data(std::move(octets))).octets(), timeout);
}

Tracker OutgoingDelivery::finish() {
    const auto sender = std::exchange(state_, nullptr);
    sender->run([sender = sender.get(), tracker = tracker_.ref()] { sender->finish_parts(tracker); });
    return std::move(tracker_);
}

void OutgoingDelivery::abort() {
    const auto sender = std::exchange(state_, nullptr);
    sender->run([sender = sender.get(), tracker = std::exchange(tracker_, {}).ref()] { sender->abort_parts(tracker); });
}

}  // namespace aprotic::engine
