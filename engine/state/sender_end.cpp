#include <algorithm>

#include <aprotic/engine/state/connection_state.hpp>
#include <aprotic/engine/state/sender_state.hpp>
#include <aprotic/engine/state/suspension.hpp>

// How a sending link ends, and what it leaves to the one that is attached again in its place. [2.6.13]

namespace aprotic::engine {
namespace {

/// One more than the largest tag that a counter has made, so that counting goes on where tags came from elsewhere.
std::uint64_t number_after(const SuspendedLink& link) {
    std::uint64_t next = 0;
    for (const auto& delivery : link.deliveries) {
        if (delivery.tag.size() > sizeof(std::uint64_t)) continue;
        std::uint64_t number = 0;
        for (const std::byte octet : delivery.tag.span()) number = number << 8U | std::to_integer<std::uint64_t>(octet);
        next = std::max(next, number + 1);
    }
    return next;
}

}  // namespace

Suspension::~Suspension() {
    for (const auto& [tag, tracker] : trackers) {
        SenderState::finish_unheld(tracker, {.kind = Outcome::Kind::in_doubt, .failure = why});
    }
}

void SenderState::before_detach() {
    budget_.close();
    Engine* engine = connection ? connection->engine() : nullptr;
    if (engine == nullptr || !messages_) return;
    messages_->unfinished.for_each([&](Tracker::State& tracker) {
        const bool unfinished_parts = tracker.parts && !tracker.parts->whole;
        if (!engine->retract(tracker.id) && !(unfinished_parts && engine->abort_send(tracker.id))) return;
        messages_->returned.push_back(let_go(tracker));
    });
}

void SenderState::never_sent(const std::vector<DeliveryId>& deliveries) {
    if (!messages_ || deliveries.empty()) return;
    std::vector<DeliveryId> sorted = deliveries;
    std::sort(sorted.begin(), sorted.end());
    messages_->unfinished.for_each([&](Tracker::State& tracker) {
        if (std::binary_search(sorted.begin(), sorted.end(), tracker.id))
            messages_->returned.push_back(let_go(tracker));
    });
}

void SenderState::after_end(const Failure& why) {
    budget_.close();
    if (messages_ && messages_->deadlines) {
        Deadlines& deadlines = *messages_->deadlines;
        if (deadlines.timer != 0) reactor().cancel_timer(std::exchange(deadlines.timer, 0));
        for (const auto& [deadline, tracker] : std::exchange(deadlines.of, {})) tracker->in_deadlines.reset();
    }
    if (resumption && resumption->left) keep_for_resumption(*resumption->left, why);
    if (!messages_) return;
    std::vector<std::pair<TrackerState, Outcome::Kind>> ends;
    for (const auto& tracker : std::exchange(messages_->returned, {}))
        ends.emplace_back(tracker, Outcome::Kind::not_sent);
    while (!messages_->queue.empty()) ends.emplace_back(messages_->queue.pop_front(), Outcome::Kind::not_sent);
    messages_->unfinished.for_each([&](Tracker::State& tracker) {
        // Sent settled, it was never to have an outcome; whether it left is not known. What is not whole on the wire
        // the peer must drop.
        const bool partial = tracker.parts && !tracker.parts->whole;
        ends.emplace_back(let_go(tracker), partial ? Outcome::Kind::not_sent : Outcome::Kind::in_doubt);
    });
    // In the order in which they were sent, which is the same in every run.
    std::sort(ends.begin(), ends.end(), [](const auto& a, const auto& b) { return a.first->number < b.first->number; });
    for (const auto& [tracker, kind] : ends) finish(tracker, {.kind = kind, .failure = why}, Callback::now);
}

/// Of what is with the engine, `link` has what must be settled with the peer; nothing was on the wire of the rest, but
/// of what was sent settled.
void SenderState::keep_for_resumption(SuspendedLink& link, const Failure& why) {
    if (!link.suspension) link.suspension = std::make_shared<Suspension>();
    Suspension& kept = *link.suspension;
    kept.why = why;
    if (!messages_) return;
    kept.next_tag = std::max(kept.next_tag, messages_->next_tag);
    messages_->unfinished.for_each([&](Tracker::State& tracker) {
        const auto& tag = tracker.options.tag;
        const bool remembered = tag && find_delivery(link, *tag) != nullptr;
        if (remembered && tracker.transaction) {
            // What belongs to a transaction goes with it: nothing of it may come again by itself.
            std::erase_if(link.deliveries, [&](const auto& delivery) { return delivery.tag == *tag; });
            return;
        }
        if (!remembered && tracker.options.settled) return;
        if (remembered) {
            if (std::exchange(tracker.counted, false)) budget_.give_back(tracker.bytes);
            kept.trackers.emplace_back(*tag, let_go(tracker));
        } else {
            messages_->returned.push_back(let_go(tracker));
        }
    });
    // Those of the link before come first, then in the order of sending: the same in every run.
    std::stable_sort(kept.trackers.begin(), kept.trackers.end(),
                     [](const auto& a, const auto& b) { return a.second->number < b.second->number; });
}

void SenderState::after_attach(const std::shared_ptr<SuspendedLink>& resumed) {
    if (!resumed) return;
    std::uint64_t& next_tag = messages().next_tag;
    next_tag = number_after(*resumed);
    if (!resumed->suspension) return;
    Suspension& kept = *resumed->suspension;
    next_tag = std::max(next_tag, kept.next_tag);
    for (const auto& [tag, tracker] : std::exchange(kept.trackers, {})) {
        const auto delivery = connection->engine()->find_delivery(*id, tag);
        if (!delivery) {
            finish(tracker, {.kind = Outcome::Kind::in_doubt, .failure = kept.why}, Callback::later);
            continue;
        }
        tracker->id = *delivery;
        tracker->number = ++messages_->last_number;
        connection->engine()->set_context(*delivery, tracker.get());
        messages_->unfinished.push_back(tracker);
    }
}

void SenderState::forget_user() {
    LinkState::forget_user();
    handler_.reset();
    if (!messages_) return;
    messages_->queue.for_each([](Tracker::State& tracker) { tracker.forget_user(); });
    for (const auto& tracker : messages_->returned) tracker->forget_user();
    messages_->unfinished.for_each([](Tracker::State& tracker) { tracker.forget_user(); });
}

}  // namespace aprotic::engine
