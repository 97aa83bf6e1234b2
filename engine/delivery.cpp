#include <aprotic/engine/delivery.hpp>

#include <fmt/core.h>

#include <aprotic/engine/state/receiver_state.hpp>
#include <aprotic/engine/state/sender_state.hpp>
#include <aprotic/engine/state/tracker_state.hpp>

namespace aprotic::engine {
namespace {

std::string_view name_of(Outcome::Kind kind) {
    switch (kind) {
        case Outcome::Kind::accepted: return "accepted";
        case Outcome::Kind::rejected: return "rejected";
        case Outcome::Kind::released: return "released";
        case Outcome::Kind::modified: return "modified";
        case Outcome::Kind::sent: return "sent";
        case Outcome::Kind::not_sent: return "not sent";
        case Outcome::Kind::in_doubt: return "in doubt";
    }
    return "unknown";
}

}  // namespace

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

// --- Tracker
// ---------------------------------------------------------------------------------------------------------------

std::optional<Outcome> Tracker::outcome() const {
    const std::lock_guard lock(state_->mutex);
    return state_->outcome;
}

codec::Result<Outcome> Tracker::try_wait(Duration timeout) const {
    std::unique_lock lock(state_->mutex);
    const auto known = [this] { return state_->outcome.has_value(); };
    if (!known()) {
        if (state_->loop->reactor.on_thread()) return make_error_code(Errc::would_deadlock);
        if (!state_->done.wait_for(lock, bounded(timeout), known)) return make_error_code(Errc::timed_out);
    }
    return *state_->outcome;
}

Outcome Tracker::wait(Duration timeout) const {
    auto outcome = try_wait(timeout);
    if (!outcome) throw std::system_error(outcome.error(), "waiting for a message's outcome");
    return std::move(*outcome);
}

void Tracker::on_done(Function<void(const Outcome&)> done) const {
    {
        const std::lock_guard lock(state_->mutex);
        if (!state_->outcome) {
            state_->callback = std::move(done);
            return;
        }
    }
    state_->loop->reactor.post([state = state_, done = std::move(done)]() mutable {
        const auto sender = state->sender.lock();
        SenderState::call_back(sender ? sender->connection : nullptr, done, *state->outcome);
    });
}

void Tracker::cancel() const {
    const auto sender = state_->sender.lock();
    if (sender) sender->run([sender = sender.get(), state = state_] { sender->cancel(state); });
}

// --- Delivery
// --------------------------------------------------------------------------------------------------------------

Delivery::Delivery(std::unique_ptr<State> state) : state_(std::move(state)) {}
Delivery::Delivery(Delivery&&) noexcept = default;

Delivery& Delivery::operator=(Delivery&& other) noexcept {
    Delivery dropped(std::move(*this));
    state_ = std::move(other.state_);
    return *this;
}

Delivery::~Delivery() {
    if (state_) release();
}

const codec::MessageView& Delivery::message() const {
    if (!state_->view) state_->view.emplace(state_->incoming.payload);
    return *state_->view;
}

const codec::ByteChain& Delivery::payload() const { return state_->incoming.payload; }
std::uint32_t Delivery::message_format() const { return state_->incoming.message_format; }
const codec::DeliveryTag& Delivery::tag() const { return state_->incoming.tag; }
bool Delivery::is_settled() const { return state_->incoming.settled; }

void Delivery::accept() {
    if (state_->incoming.settled || std::exchange(state_->answered, true)) return;
    state_->receiver->settle(state_->id, ReceiverState::Short::accepted);
}

void Delivery::release() {
    if (state_->incoming.settled || std::exchange(state_->answered, true)) return;
    state_->receiver->settle(state_->id, ReceiverState::Short::released);
}

void Delivery::reject(std::optional<codec::ErrorCondition> why) {
    if (state_->incoming.settled || std::exchange(state_->answered, true)) return;
    state_->receiver->settle(state_->id, codec::Rejected{.error = std::move(why)});
}

void Delivery::modify(bool delivery_failed, bool undeliverable_here, codec::Map annotations) {
    if (state_->incoming.settled || std::exchange(state_->answered, true)) return;
    state_->receiver->settle(state_->id, codec::Modified{.delivery_failed = delivery_failed,
                                                         .undeliverable_here = undeliverable_here,
                                                         .message_annotations = std::move(annotations)});
}

}  // namespace aprotic::engine
