// How letters come to the reactor's thread, and what becomes of those whose time is over.
#include <algorithm>
#include <iterator>
#include <utility>

#include <fmt/core.h>

#include <aprotic/driver/bus/bus.hpp>

namespace aprotic::driver::bus {

void Bus::submit(LetterPtr letter) {
    const std::lock_guard lock(gate_);
    if (gate_closed_) return;
    submitted_.push_back(std::move(letter));
    call_for_submitted();
}

void Bus::accept(engine::Delivery delivery) {
    const std::lock_guard lock(gate_);
    if (gate_closed_) return;
    accepted_.push_back(std::move(delivery));
    call_for_submitted();
}

void Bus::call_for_submitted() {
    if (is_called_ || (reactor_.on_thread() && telling_ > 0 && !is_beginning_)) return;
    is_called_ = true;
    reactor_.post([self = shared_from_this()] { self->begin_submitted(); });
}

Bus::Telling::~Telling() {
    if (--bus.telling_ == 0 && !is_over) bus.call_for_rest();
}

void Bus::call_for_rest() {
    const std::lock_guard lock(gate_);
    if (!gate_closed_ && (!beginning_.empty() || !submitted_.empty() || !accepted_.empty())) call_for_submitted();
}

void Bus::begin_submitted() {
    if (std::exchange(is_beginning_, true)) return;
    {
        const std::lock_guard lock(gate_);
        is_called_ = false;
        accepting_.swap(accepted_);
        if (beginning_.empty())
            beginning_.swap(submitted_);
        else
            std::move(submitted_.begin(), submitted_.end(), std::back_inserter(beginning_));
        submitted_.clear();
    }
    for (auto& delivery : accepting_) delivery.accept();
    accepting_.clear();
    /// What a callback that throws leaves is begun later: the owner of the reactor may go on.
    struct Rest {
        Bus& bus;
        std::size_t begun = 0;
        ~Rest() {
            auto& letters = bus.beginning_;
            letters.erase(letters.begin(), letters.begin() + static_cast<std::ptrdiff_t>(begun));
            bus.is_beginning_ = false;
            if (!letters.empty()) bus.call_for_rest();
        }
    } rest{*this};
    while (rest.begun < beginning_.size()) {
        const LetterPtr letter = std::move(beginning_[rest.begun++]);
        if (!shut_) begin(letter);
    }
}

void Bus::begin(const LetterPtr& letter) {
    letter->number = ++last_number_;
    letter->started = reactor_.now();
    if (const auto kind = letter->message_kind(); kind && metrics()) metrics()->message_begun(*kind, letter->size());
    if (!is_direct()) {
        letter->peer = peers_.front();
        letter->is_pinned = true;
    }
    // Until there is a connection, for the texts of failures.
    if (letter->has_target()) letter->address = address_of(*letter, peer().shared_addresser());
    if (letter->unsendable) {
        CallFailure failure = failure_of(*letter, Errc::closed, letter->unsendable->text);
        failure.code = letter->unsendable->code;
        finish(letter, std::move(failure));
        return;
    }
    if (bytes_waiting_ + letter->size() > options_.send_queue_bytes_max) {
        finish(letter,
               failure_of(*letter, Errc::not_sent,
                          fmt::format("{} octets wait to be sent; the limit is {} (option send_queue_bytes_max)",
                                      bytes_waiting_ + letter->size(), options_.send_queue_bytes_max)));
        return;
    }
    bytes_waiting_ += letter->size();
    letters_.add(letter);
    if (letter->idempotent && !letter->extras.idempotency_key) letter->extras.idempotency_key = random_id();
    deadlines_.add(letter);
    arm_deadlines();
    route(letter);
}

void Bus::arm_deadlines() {
    const auto next = deadlines_.next();
    // A timer that has become too early is left alone: it costs less than setting it anew for each letter.
    if (!next || (deadline_timer_ != 0 && armed_for_ <= *next)) return;
    reactor_.cancel_timer(deadline_timer_);
    armed_for_ = *next;
    deadline_timer_ = reactor_.start_timer(*next, [bus = weak_from_this()] {
        if (const auto alive = bus.lock()) alive->on_deadlines();
    });
}

void Bus::on_deadlines() {
    deadline_timer_ = 0;
    struct Rearm {
        Bus& bus;
        ~Rearm() { bus.arm_deadlines(); }
    } rearm{*this};  // also after an exception
    const engine::Instant now = reactor_.now();
    while (const LetterPtr letter = deadlines_.take_due(now)) on_deadline(letter);
}

void Bus::rest() {
    if (deadline_timer_ == 0 || !letters_.empty()) return;
    // Whoever has a connection has something to wait for all the same, and will need the timer again.
    if (direct_server_ && direct_server_->has_guests()) return;
    if (std::ranges::any_of(peers_, [](const auto& each) { return each->is_up(); })) return;
    reactor_.cancel_timer(std::exchange(deadline_timer_, 0));
}

}  // namespace aprotic::driver::bus
