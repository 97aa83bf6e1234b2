#include <aprotic/driver/bus/outbound.hpp>

#include <utility>

#include <fmt/core.h>

#include <aprotic/codec/message.hpp>
#include <aprotic/driver/bus/bus.hpp>
#include <aprotic/driver/bus/envelope.hpp>

namespace aprotic::driver::bus {

Outbound::Outbound(Bus& bus, std::string address) : bus_(bus.weak_from_this()), address_(std::move(address)) {}

void Outbound::send(LetterPtr letter) {
    unused_ = false;
    if (!sender_ && !paused_) open();
    if (!sender_) {
        letter->stage = Letter::Stage::queued;
        waiting_.push_back(std::move(letter));
        return;
    }
    hand_over(letter);
}

void Outbound::send_later(LetterPtr letter) {
    const auto bus = bus_.lock();
    if (!bus) return;
    letter->stage = Letter::Stage::queued;
    if (!sender_ || !sender_.is_open()) {
        // The link is on its way out; on_close opens the next.
        waiting_.push_back(std::move(letter));
        if (!sender_ && !paused_) open_after(Duration::zero());
        return;
    }
    // Only this letter waits: those behind it are not held up.
    bus->reactor().start_timer(bus->reactor().now() + bus->options().link_retry_delay,
                               [bus = bus_, letter = std::weak_ptr(letter)] {
                                   const auto alive = bus.lock();
                                   const auto again = letter.lock();
                                   if (alive && again && again->stage == Letter::Stage::queued) alive->route(again);
                               });
}

void Outbound::open() {
    const auto bus = bus_.lock();
    if (!bus || closed_) return;
    engine::SenderOptions options;
    options.link.name = fmt::format("openstack.org/om/sender/[{}]/{}", address_, bus->random_id());
    options.link.source.emplace().address = address_;
    std::get<codec::Target>(options.link.target.emplace(codec::Target())).address = address_;
    options.queue_bytes_max = bus->options().send_queue_bytes_max;
    sender_ = bus->connection().open_sender(address_, std::move(options), shared_from_this());
}

void Outbound::open_after(Duration pause) {
    const auto bus = bus_.lock();
    if (!bus || closed_) return;
    paused_ = true;
    bus->reactor().start_timer(bus->reactor().now() + pause, [self = weak_from_this()] {
        const auto alive = self.lock();
        if (!alive || alive->closed_) return;
        alive->paused_ = false;
        if (alive->sender_ || alive->waiting_.empty()) return;
        alive->open();
        for (auto& letter : std::exchange(alive->waiting_, {}))
            if (letter->stage == Letter::Stage::queued) alive->send(std::move(letter));
    });
}

void Outbound::hand_over(const LetterPtr& letter) {
    const auto bus = bus_.lock();
    if (!bus) return;
    Envelope envelope{.to = address_, .correlation_id = letter->correlation_id, .ttl = letter->ttl};
    if (letter->kind == Letter::Kind::call) {
        envelope.message_id = letter->message_id;
        envelope.reply_to = bus->reply_address();
    }
    envelope.durable = letter->is_request() && bus->options().amqp_durable_queues;
    letter->stage = Letter::Stage::handed;
    letter->host = bus->host_name();
    ++handed_;
    letter->tracker = sender_.send(codec::encode(make_message(envelope, letter->text)), {.settled = letter->settled});
    letter->tracker.on_done([self = weak_from_this(), bus = bus_, letter](const engine::Outcome& outcome) {
        const auto outbound = self.lock();
        if (outbound) {
            --outbound->handed_;
            if (outcome.kind != engine::Outcome::Kind::not_sent) outbound->failures_ = 0;
        }
        if (const auto alive = bus.lock()) alive->on_outcome(letter, outcome);
    });
}

std::deque<LetterPtr> Outbound::close() {
    closed_ = true;
    if (sender_) std::exchange(sender_, {}).close();
    return std::exchange(waiting_, {});
}

std::string Outbound::obstacle() const {
    if (!sender_) return "the link could not be opened again after the peer closed it";
    if (!sender_.is_open()) return "the peer has not answered the attach of the link";
    if (sender_.credit() == 0) return "the peer gives no credit";
    return "the connection takes no more";
}

void Outbound::on_close(engine::Sender&, const std::optional<engine::Failure>& why) {
    sender_ = {};
    const auto bus = bus_.lock();
    if (!bus || closed_) return;
    if (why && why->code == engine::Errc::refused) {
        bus->on_refused(*this, *why);
        return;
    }
    if (waiting_.empty()) return;
    open_after(failures_++ == 0 ? Duration::zero() : bus->options().link_retry_delay);
}

}  // namespace aprotic::driver::bus
