#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "sim/broker_world.hpp"

// What clients of the broker do, and what they must be told.

namespace aprotic::sim::brokers {

using namespace std::chrono_literals;

// --- a connection --------------------------------------------------------------------------------------------------

void Client::on_open(Connection&) { world.say(fmt::format("client {} is open", index)); }

void Client::on_close(Connection&, const std::optional<Failure>& why) {
    world.say(fmt::format("client {} is closed: {}", index, why ? why->message() : "in order"));
    if (!std::exchange(up, false)) world.violated("a connection ends twice");
    for (const auto& link : consumers)
        if (link->up) world.violated("a connection ends before its links");
    world.again(shared_from_this());
}

// --- a receiver ----------------------------------------------------------------------------------------------------

void Consumer::on_open(Receiver&) { world.say("receiver open"); }

void Consumer::on_message(Receiver& receiver, Delivery& delivery) {
    const auto number = read_message(delivery.message().body_text().value_or(""));
    if (!number || !world.knows(*number)) return world.violated("a message is not what was sent");
    Known& known = world.known(*number);
    if (known.queue != queue) world.violated("a message came from another queue");
    ++known.receipts;
    world.say(fmt::format("message {} received", *number));
    if (options.credit == 0 && receiver.credit() < 3) receiver.add_credit(5);
    // Coming back from a drain it asked for at least five.
    if (options.credit != 0 && receiver.credit() > 2 * std::max<std::uint32_t>(options.credit, 5))
        world.violated("more credit than was asked for");
    const std::uint64_t how = world.calm ? 0 : world.prng.below(20);
    if (how < 14) return answer(delivery, *number, how, life);
    // Later, perhaps when the link has gone.
    ++held;
    auto kept = std::make_shared<Delivery>(std::move(delivery));
    world.after(world.draw(3s), [self = shared_from_this(), kept, number = *number, how, on = life] {
        --self->held;
        self->answer(*kept, number, how - 14, on);
    });
}

void Consumer::answer(Delivery& delivery, std::uint64_t number, std::uint64_t how,
                      const std::shared_ptr<LinkLife>& on) {
    Known& known = world.known(number);
    // A delivery that came settled is over, whatever is said about it.
    if (on->over && !delivery.is_settled()) ++known.unsure;
    switch (delivery.is_settled() ? 0 : how) {
        case 3: ++known.returned; return delivery.release();
        case 4: ++known.returned; return delivery.modify(true);
        case 5: {
            ++known.returned;
            const Delivery dropped = std::move(delivery);
            return;
        }
        case 6: delivery.reject(); break;
        default: delivery.accept(); break;
    }
    ++known.consumed;
    if (on->over) return;
    // Whether the broker has heard of it is sure only if the link lives on to the end.
    on->answered.push_back(number);
}

void Consumer::on_drained(Receiver& receiver) {
    world.say("drained");
    draining = false;
    receiver.add_credit(std::max<std::uint32_t>(options.credit, 5));
}

void Consumer::on_close(Receiver&, const std::optional<Failure>&) {
    world.say("receiver closed");
    if (!std::exchange(up, false)) world.violated("a receiver ends twice");
    life->over = true;
    for (const std::uint64_t number : life->answered) ++world.known(number).unsure;
    world.again(shared_from_this());
}

// --- a sender ------------------------------------------------------------------------------------------------------

void Producer::on_open(Sender&) {
    world.say("sender open");
    pump();
}

void Producer::on_credit(Sender&) { pump(); }

void Producer::pump() {
    while (up && !paused && !due.empty()) {
        const std::uint64_t number = *due.begin();
        due.erase(due.begin());
        send(number);
        // All at once, or one now and then.
        if (!world.calm && world.prng.one_in(4)) {
            paused = true;
            world.after(world.draw(2s), [self = shared_from_this()] {
                self->paused = false;
                self->pump();
            });
        }
    }
}

void Producer::send(std::uint64_t number) {
    Known& known = world.known(number);
    SendParameters how;
    how.settled = known.settled;
    if (!world.calm && world.prng.one_in(6)) how.timeout = world.draw(3s);
    const Tracker tracker = handle.send(codec::Message(message_text(number, world.size_of(number))), how);
    under_way[number] = tracker;
    auto calls = std::make_shared<int>(0);
    tracker.on_done([self = shared_from_this(), number, calls, on = life](const Outcome& outcome) {
        if (++*calls != 1) self->world.violated("a tracker ends twice");
        self->finished(number, outcome, on);
    });
    if (!world.calm && world.prng.one_in(20)) tracker.cancel();
}

void Producer::finished(std::uint64_t number, const Outcome& outcome, const std::shared_ptr<LinkLife>& on) {
    Known& known = world.known(number);
    world.say(fmt::format("message {}: {}", number, outcome.message()));
    if (under_way.erase(number) == 0) world.violated("a message ends that was not under way");
    switch (outcome.kind) {
        case Outcome::Kind::accepted:
            ++known.attempts;
            // Heard after a restart it may come from the broker before.
            if (on->asked_in == world.life()) known.accepted = world.life();
            known.finished = true;
            if (known.settled) world.violated("a message sent settled has an outcome");
            return;
        case Outcome::Kind::sent:
            ++known.attempts;
            known.finished = true;
            if (!known.settled) world.violated("a message sent unsettled has no outcome");
            on->sent.push_back(number);
            return;
        case Outcome::Kind::rejected: return world.violated("the broker rejects a message: " + outcome.message());
        case Outcome::Kind::rolled_back: return world.violated("a message of no transaction is rolled back");
        case Outcome::Kind::in_doubt:
            ++known.attempts;
            // Sending it again would be another message.
            if (known.settled) {
                known.finished = true;
                return;
            }
            break;
        case Outcome::Kind::released:
        case Outcome::Kind::modified:
        case Outcome::Kind::not_sent: break;
    }
    const Duration pause = outcome.kind == Outcome::Kind::not_sent && !on->over ? world.draw(500ms) : Duration(50ms);
    world.after(pause, [self = shared_from_this(), number] {
        self->due.insert(number);
        self->pump();
    });
}

void Producer::on_close(Sender&, const std::optional<Failure>& why) {
    world.say("sender closed");
    if (!std::exchange(up, false)) world.violated("a sender ends twice");
    for (const auto& [number, tracker] : under_way)
        if (!tracker.outcome()) world.violated("a sender ends before its messages");
    static_cast<void>(why);
    life->over = true;
    world.again(shared_from_this());
}

}  // namespace aprotic::sim::brokers
