#include <algorithm>

#include <fmt/core.h>

#include <aprotic/engine/state/connection_state.hpp>
#include <aprotic/engine/state/sender_state.hpp>
#include <aprotic/engine/state/transaction_state.hpp>

namespace aprotic::engine {

/// A message on its way to the reactor's thread. Should the reactor stop first, the message has certainly not been
/// sent.
struct SenderState::HandOver {
    HandOver(std::shared_ptr<SenderState> s, TrackerState t) : sender(std::move(s)), tracker(std::move(t)) {}
    HandOver(HandOver&&) noexcept = default;
    ~HandOver() {
        if (tracker) static_cast<void>(tracker->finish(sender->not_sent(Errc::closed, "the reactor has stopped")));
    }
    void operator()() { sender->enqueue(std::move(tracker)); }

    std::shared_ptr<SenderState> sender;
    TrackerState tracker;
};

SenderState::SenderState(ConnectionState& its_connection, LinkOptions its_options, std::size_t queue_bytes_max,
                         std::shared_ptr<SenderHandler> its_handler)
    : LinkState(its_connection, std::move(its_options), its_handler != nullptr),
      handler_(std::move(its_handler)),
      budget_(commons->mutex, queue_bytes_max) {}

/// With something left only when the reactor went before the link could end: who waits in another thread is still told.
SenderState::~SenderState() {
    if (!messages_) return;
    messages_->queue.for_each([this](Tracker::State& tracker) {
        static_cast<void>(tracker.finish(not_sent(Errc::closed, "the reactor has stopped")));
    });
    messages_->unfinished.for_each(
        [](Tracker::State& tracker) { static_cast<void>(tracker.finish(Outcome::Kind::in_doubt)); });
}

SenderState::Messages& SenderState::messages() {
    if (!messages_) messages_ = std::make_unique<Messages>();
    return *messages_;
}

Outcome SenderState::not_sent(Errc code, std::string text) const {
    return {.kind = Outcome::Kind::not_sent,
            .failure = Failure{.code = code, .condition = {}, .text = fmt::format("{}: {}", description(), text)}};
}

// --- any thread ------------------------------------------------------------------------------------------------------

const std::shared_ptr<TrackerHome>& SenderState::home() {
    if (!has_home_.load(std::memory_order_acquire)) {
        const std::lock_guard lock(commons->mutex);
        if (!home_)
            home_ = std::make_shared<TrackerHome>(loop(), std::static_pointer_cast<SenderState>(shared_from_this()));
        has_home_.store(true, std::memory_order_release);
    }
    return home_;
}

/// `here`: this is the reactor's thread.
SenderState::TrackerState SenderState::new_tracker(std::size_t bytes, const SendParameters& parameters, bool here) {
    Recycler& recycler = *loop()->recycler;
    static_assert(alignof(Tracker::State) <= __STDCPP_DEFAULT_NEW_ALIGNMENT__);
    void* const place = here ? recycler.take_here(sizeof(Tracker::State)) : recycler.take(sizeof(Tracker::State));
    auto tracker = TrackerRef::adopt(::new (place) Tracker::State(*home(), bytes));
    // [2.8.2] What the link has agreed on goes before what one message wants.
    tracker->options.settled = snd_settle_mode == codec::SenderSettleMode::settled ||
                               (parameters.settled && snd_settle_mode != codec::SenderSettleMode::unsettled);
    tracker->options.context = tracker.get();
    tracker->context = parameters.context;
    return tracker;
}

SenderState::TrackerState SenderState::make_tracker(codec::EncodedMessage&& message, const SendParameters& parameters,
                                                    bool here) {
    auto tracker = new_tracker(message.size(), parameters, here);
    tracker->hold_home();
    tracker->message = std::move(message);
    if (parameters.tag) tracker->options.tag = parameters.tag;
    tracker->options.message_format = tracker->message.message_format();
    if (parameters.state) {
        tracker->options.state = std::make_shared<codec::DeliveryState>(*parameters.state);
    }
    if (parameters.timeout) tracker->deadline = reactor().now() + bounded(*parameters.timeout);
    return tracker;
}

Tracker SenderState::refuse(const TrackerState& tracker, Outcome&& outcome) const {
    if (auto within = std::exchange(tracker->transaction, nullptr)) {
        Failure why = outcome.failure.value_or(Failure{.code = Errc::rolled_back, .condition = {}, .text = {}});
        within->run([within, why = std::move(why)] { within->doom(why); });
    }
    static_cast<void>(tracker->finish(std::move(outcome)));  // nobody can have asked to be called yet
    tracker->stage = Tracker::State::Stage::finished;
    return Tracker(tracker);
}

Tracker SenderState::send(codec::EncodedMessage&& message, const SendParameters& parameters,
                          std::shared_ptr<TransactionState> transaction) {
    const bool here = reactor().on_thread();
    if (here && !transaction && goes_at_once(parameters) &&
        budget_.take(message.size(), false, {}) == ByteBudget::Answer::taken)
        return send_at_once(std::move(message), parameters);
    TrackerState tracker = make_tracker(std::move(message), parameters, here);
    if (transaction) {
        tracker->options.state = transaction->state;
        tracker->transaction = std::move(transaction);
    }
    switch (budget_.take(tracker->bytes, !here, parameters.timeout)) {
        case ByteBudget::Answer::taken: break;
        case ByteBudget::Answer::full:
            return refuse(tracker, not_sent(Errc::queue_full, "the queue is full (option queue_bytes_max)"));
        case ByteBudget::Answer::timed_out:
            return refuse(tracker, not_sent(Errc::timed_out, "no room in the queue in time (option queue_bytes_max)"));
        case ByteBudget::Answer::closed: return refuse(tracker, {.kind = Outcome::Kind::not_sent, .failure = over()});
    }
    tracker->counted = true;
    Tracker handle(tracker);
    if (here) {
        enqueue(std::move(tracker));
    } else {
        hand_to_reactor(std::move(tracker));
    }
    return handle;
}

/// As nearly all do from callbacks: there is credit, nothing waits before it, and nothing is said of it but whether it is
/// settled.
bool SenderState::goes_at_once(const SendParameters& parameters) const noexcept {
    return spare_ > 0 && available_told_ == 0 && queued() == 0 && !ended && ready() && !resumable && !parameters.tag &&
           !parameters.state && !parameters.timeout;
}

/// Its bytes have been taken from the budget.
Tracker SenderState::send_at_once(codec::EncodedMessage&& message, const SendParameters& parameters) {
    TrackerState tracker = new_tracker(message.size(), parameters, true);
    tracker->retain_first();
    Tracker handle(TrackerRef::adopt(tracker.get()));
    tracker->counted = true;
    tracker->number = ++messages().last_number;
    const auto sent = connection->engine()->send(*id, std::move(message), tracker->options);
    with_engine(std::move(tracker), sent);
    return handle;
}

void SenderState::hand_to_reactor(TrackerState tracker) {
    if (reactor().on_thread()) return enqueue(std::move(tracker));
    reactor().post(HandOver(std::static_pointer_cast<SenderState>(shared_from_this()), std::move(tracker)));
}

// --- reactor's thread ------------------------------------------------------------------------------------------------

void SenderState::enqueue(TrackerState tracker) {
    tracker->number = ++messages().last_number;
    if (tracker->stage == Tracker::State::Stage::finished) {  // taken back on its way here
        if (std::exchange(tracker->counted, false)) budget_.give_back(tracker->bytes);
        return;
    }
    if (ended || connection == nullptr) {
        auto failure = over();
        const auto transaction = std::exchange(tracker->transaction, nullptr);
        if (transaction && failure) transaction->doom(*failure);
        return finish(tracker, {.kind = Outcome::Kind::not_sent, .failure = std::move(failure)}, Callback::later);
    }
    if (tracker->transaction && !tracker->transaction->add_post(tracker, *this)) {
        tracker->transaction.reset();
        return finish(tracker, not_sent(Errc::wrong_state, "the transaction has ended or is of another session"),
                      Callback::later);
    }
    if (tracker->deadline) {
        auto& deadlines = messages_->deadlines;
        if (!deadlines) deadlines = std::make_unique<Deadlines>(loop()->recycler);
        // Most have the same time to go, and come in the order of their deadlines.
        tracker->in_deadlines = deadlines->of.emplace_hint(deadlines->of.end(), *tracker->deadline, tracker.get());
        arm_deadline();
    }
    if (messages_->queue.empty() && spare_ > 0 && available_told_ == 0 && ready()) return hand_over(std::move(tracker));
    messages_->queue.push_back(std::move(tracker));
    serve();
}

/// What has credit may go to the engine.
bool SenderState::ready() const noexcept {
    return opened_once && !closing && connection != nullptr && connection->engine() != nullptr;
}

void SenderState::serve() {
    if (!messages_ || !ready()) return;
    TrackerList& queue = messages_->queue;
    while (!queue.empty() && spare_ > 0) hand_over(queue.pop_front());
    tell_available(*connection->engine());
    if (!queue.empty() && may_rise_) look_again();
}

void SenderState::tell_available(Engine& engine) {
    const auto available = static_cast<std::uint32_t>(std::min<std::size_t>(queued(), UINT32_MAX));
    if (available == available_told_) return;
    available_told_ = available;
    static_cast<void>(engine.set_available(*id, available));
}

void SenderState::hand_over(TrackerState tracker) {
    Engine& engine = *connection->engine();
    // A link that may be attached again must not begin to count anew then.
    if (resumable && !tracker->options.tag)
        tracker->options.tag = codec::DeliveryTag::from_number(messages_->next_tag++);
    const auto sent =
        tracker->parts ? begin_parts(engine, tracker) : engine.send(*id, std::move(tracker->message), tracker->options);
    with_engine(std::move(tracker), sent);
}

void SenderState::with_engine(TrackerState tracker, const codec::Result<DeliveryId>& sent) {
    if (!sent) {
        tracker->hold_home();
        Outcome outcome{.kind = Outcome::Kind::not_sent,
                        .failure = Failure{.code = sent.error(),
                                           .condition = {},
                                           .text = fmt::format("{}: {}", description(), sent.error().message())}};
        return finish(tracker, std::move(outcome), Callback::later);
    }
    --spare_;
    tracker->id = *sent;
    tracker->stage = Tracker::State::Stage::with_engine;
    const std::size_t bytes = tracker->bytes;
    messages_->unfinished.push_back(std::move(tracker));
    connection->wake(bytes);
}

SenderState::TrackerState SenderState::let_go(Tracker::State& tracker) {
    if (!TrackerList::contains(tracker)) return nullptr;
    Engine* engine = connection ? connection->engine() : nullptr;
    if (engine != nullptr) engine->set_context(tracker.id, nullptr);
    return messages_->unfinished.remove(tracker);
}

/// A message partly on the wire has used its credit and is still counted as queued, so the difference may be too small
/// by one until that message has gone. Credit that the peer drains goes back with the next write.
void SenderState::refresh_credit() {
    spare_ = 0;
    may_rise_ = false;
    Engine* engine = connection ? connection->engine() : nullptr;
    if (engine == nullptr || !id) return;
    const auto status = engine->status(*id);
    if (!status) return;
    const auto queued = static_cast<std::uint32_t>(std::min<std::size_t>(status->queued, UINT32_MAX));
    spare_ = status->credit > queued ? status->credit - queued : 0;
    may_rise_ = status->credit > 0 && queued > 0;
    if (status->draining && status->credit > 0) look_again();
}

void SenderState::look_again() {
    if (connection != nullptr && !std::exchange(listed_, true)) {
        connection->recheck(std::static_pointer_cast<SenderState>(shared_from_this()));
    }
}

void SenderState::recheck() {
    listed_ = false;
    refresh_credit();
    serve();
}

SenderHandler& SenderState::handler() {
    static SenderHandler nobody;
    return handler_ ? *handler_ : nobody;
}

void SenderState::flow_properties(const codec::Map& properties) {
    if (connection == nullptr || closing) return;
    Sender handle(std::static_pointer_cast<SenderState>(shared_from_this()));
    connection->call([&] { handler().on_flow_properties(handle, properties); });
}

void SenderState::flowed() {
    const std::uint32_t before = spare_;
    refresh_credit();
    const bool rose = spare_ > before;
    serve();
    Engine* engine = connection ? connection->engine() : nullptr;
    if (engine == nullptr || !handler_ || closing) return;
    const auto status = engine->status(*id);
    Sender handle(std::static_pointer_cast<SenderState>(shared_from_this()));
    if (status && status->draining) connection->call([&] { handler_->on_drain(handle); });
    if (connection != nullptr && !closing && rose && queued() == 0 && spare_ > 0) {
        connection->call([&] { handler_->on_credit(handle); });
    }
}

std::uint32_t SenderState::credit() const {
    const Engine* engine = connection ? connection->engine() : nullptr;
    return engine != nullptr && id ? engine->spare_credit(*id) : 0;
}

std::size_t SenderState::pending() const { return queued() + (messages_ ? messages_->unfinished.size() : 0); }

// --- deadlines -------------------------------------------------------------------------------------------------------

void SenderState::arm_deadline() {
    auto& [of, timer, armed] = *messages_->deadlines;
    Reactor& reactor = this->reactor();
    if (of.empty()) {
        if (timer != 0) reactor.cancel_timer(std::exchange(timer, 0));
        return;
    }
    const Instant earliest = of.begin()->first;
    if (timer != 0) {
        if (armed <= earliest) return;
        reactor.cancel_timer(timer);
    }
    armed = earliest;
    timer = reactor.start_timer(earliest, [weak = weak_from_this()] {
        const auto self = weak.lock();
        if (self) static_cast<SenderState&>(*self).deadline_passed();
    });
}

void SenderState::forget_deadline(Tracker::State& tracker) noexcept {
    if (!tracker.in_deadlines) return;
    messages_->deadlines->of.erase(*tracker.in_deadlines);
    tracker.in_deadlines.reset();
}

void SenderState::deadline_passed() {
    messages_->deadlines->timer = 0;
    auto& of = messages_->deadlines->of;
    const Instant now = reactor().now();
    while (!of.empty() && of.begin()->first <= now) {
        const TrackerState tracker(of.begin()->second);
        forget_deadline(*tracker);
        // What is on the wire goes on: its outcome may still come.
        if (connection == nullptr || !take_back(tracker)) continue;
        std::string text = opened_once ? "no credit for the message in time" : "the link was not open in time";
        finish(tracker, not_sent(Errc::timed_out, std::move(text)), Callback::now);
    }
    if (connection != nullptr) arm_deadline();
}

void SenderState::after_open() {
    refresh_credit();
    serve();
    // Credit may have come right behind the attach; its flow event, still to come, then raises nothing.
    if (connection == nullptr || !handler_ || closing || queued() > 0 || spare_ == 0) return;
    Sender handle(std::static_pointer_cast<SenderState>(shared_from_this()));
    connection->call([&] { handler_->on_credit(handle); });
}

void SenderState::tell_open() {
    if (!handler_) return;
    Sender handle(std::static_pointer_cast<SenderState>(shared_from_this()));
    handler_->on_open(handle);
}

void SenderState::tell_remote_close(const std::optional<codec::ErrorCondition>& error) {
    if (!handler_) return;
    Sender handle(std::static_pointer_cast<SenderState>(shared_from_this()));
    handler_->on_remote_close(handle, error);
}

void SenderState::tell_close(const std::optional<Failure>& why) {
    const auto handler = std::exchange(handler_, nullptr);
    if (!handler) return;
    Sender handle(std::static_pointer_cast<SenderState>(shared_from_this()));
    handler->on_close(handle, why);
}

}  // namespace aprotic::engine
