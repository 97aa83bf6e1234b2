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
    auto& [queue, queued, unfinished, returned, last_number, next_tag] = *messages_;
    for (auto entry = unfinished.begin(); entry != unfinished.end();) {
        const auto& [delivery, tracker] = *entry;
        const bool unfinished_parts = tracker->parts && !tracker->parts->whole;
        if (!engine->retract(delivery) && !(unfinished_parts && engine->abort_send(delivery))) {
            ++entry;
            continue;
        }
        returned.push_back(tracker);
        entry = unfinished.erase(entry);
    }
}

void SenderState::never_sent(const std::vector<DeliveryId>& deliveries) {
    for (const DeliveryId delivery : deliveries) {
        auto entry = messages().unfinished.extract(delivery);
        if (entry) messages_->returned.push_back(std::move(entry.mapped()));
    }
}

void SenderState::after_end(const Failure& why) {
    budget_.close();
    if (deadlines_) {
        if (deadlines_->timer != 0) reactor().cancel_timer(std::exchange(deadlines_->timer, 0));
        deadlines_->of.clear();
    }
    if (resumption && resumption->left) keep_for_resumption(*resumption->left, why);
    if (!messages_) return;
    auto& [queue, queued, unfinished, returned, last_number, next_tag] = *messages_;
    std::vector<std::pair<TrackerState, Outcome::Kind>> ends;
    for (const auto& tracker : std::exchange(returned, {})) ends.emplace_back(tracker, Outcome::Kind::not_sent);
    for (const auto& tracker : std::exchange(queue, {})) {
        if (tracker->stage == Tracker::State::Stage::queued) ends.emplace_back(tracker, Outcome::Kind::not_sent);
    }
    for (const auto& [delivery, tracker] : std::exchange(unfinished, {})) {
        // Sent settled, it was never to have an outcome; whether it left is not known. What is not whole on the wire
        // the peer must drop.
        const bool partial = tracker->parts && !tracker->parts->whole;
        ends.emplace_back(tracker, partial ? Outcome::Kind::not_sent : Outcome::Kind::in_doubt);
    }
    queued = 0;
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
    auto& [queue, queued, unfinished, returned, last_number, next_tag] = *messages_;
    for (auto entry = unfinished.begin(); entry != unfinished.end();) {
        const TrackerState tracker = entry->second;
        const bool remembered = tracker->options.tag && find_delivery(link, *tracker->options.tag) != nullptr;
        if (remembered && tracker->transaction) {
            // What belongs to a transaction goes with it: nothing of it may come again by itself.
            std::erase_if(link.deliveries, [&](const auto& delivery) { return delivery.tag == *tracker->options.tag; });
            ++entry;
            continue;
        }
        if (!remembered && tracker->options.settled) {
            ++entry;
            continue;
        }
        if (remembered) {
            if (std::exchange(tracker->counted, false)) budget_.give_back(tracker->bytes);
            kept.trackers.emplace_back(*tracker->options.tag, tracker);
        } else {
            returned.push_back(tracker);
        }
        entry = unfinished.erase(entry);
    }
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
        messages_->unfinished.emplace(*delivery, tracker);
    }
}

void SenderState::forget_user() {
    LinkState::forget_user();
    handler_.reset();
    if (!messages_) return;
    for (const auto& tracker : messages_->queue) tracker->forget_user();
    for (const auto& tracker : messages_->returned) tracker->forget_user();
    for (const auto& [delivery, tracker] : messages_->unfinished) tracker->forget_user();
}

}  // namespace aprotic::engine
