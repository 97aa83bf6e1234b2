#include <aprotic/driver/bus/outbound.hpp>

#include <algorithm>
#include <utility>

#include <fmt/core.h>

#include <aprotic/codec/message.hpp>
#include <aprotic/driver/bus/bus.hpp>
#include <aprotic/driver/bus/envelope.hpp>
#include <aprotic/driver/bus/termini.hpp>

namespace aprotic::driver::bus {

Outbound::Outbound(Peer& peer, NodeRef node) : peer_(peer.weak_from_this()), bus_(peer.bus()), node_(std::move(node)) {}

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
    const auto peer = peer_.lock();
    if (!peer || closed_) return;
    paused_ = true;
    peer->prepare(node_, [self = weak_from_this()](const std::optional<engine::Failure>& why) {
        const auto alive = self.lock();
        if (!alive || alive->closed_) return;
        alive->paused_ = false;
        if (why) return alive->on_unprepared(*why);
        alive->attach();
        alive->send_waiting();
    });
}

void Outbound::attach() {
    const auto bus = bus_.lock();
    const auto peer = peer_.lock();
    if (!bus || !peer || closed_) return;
    opened_ = false;
    engine::SenderOptions options;
    options.link = sending_link(node_, peer->profile(), bus->options(), bus->random_id());
    options.queue_bytes_max = bus->options().send_queue_bytes_max;
    sender_ = peer->open_sender(node_.address, std::move(options), shared_from_this());
}

void Outbound::on_unprepared(const engine::Failure& why) {
    last_failure_ = why;
    const auto peer = peer_.lock();
    const auto bus = bus_.lock();
    if (!peer || !bus) return;
    if (peer->was_refused(why, false)) return peer->on_refused(*this, why);
    if (!waiting_.empty()) open_after(bus->options().link_retry_delay);
}

void Outbound::send_waiting() {
    if (waiting_.empty()) return;
    for (auto& letter : std::exchange(waiting_, {}))
        if (letter->stage == Letter::Stage::queued) send(std::move(letter));
}

void Outbound::open_after(Duration pause) {
    const auto bus = bus_.lock();
    if (!bus || closed_) return;
    paused_ = true;
    bus->reactor().start_timer(bus->reactor().now() + pause, [self = weak_from_this()] {
        const auto alive = self.lock();
        if (!alive || alive->closed_) return;
        alive->paused_ = false;
        if (alive->sender_) return;
        if (alive->waiting_.empty()) {
            alive->tell_ready();
            return;
        }
        alive->open();
    });
}

void hand_over(Bus& bus, const LetterPtr& letter, const engine::Sender& sender, Dispatch dispatch) {
    Envelope envelope{.to = letter->address, .extras = &letter->extras};
    envelope.correlation_id = letter->correlation_id;
    // At least a millisecond: a ttl of none would be one without end.
    if (letter->with_ttl)
        envelope.ttl =
            std::max<Duration>(letter->started + letter->timeout - bus.reactor().now(), std::chrono::milliseconds(1));
    if (letter->kind == Letter::Kind::call) {
        const auto id = letter->id.text();
        envelope.message_id = std::string(as_text(id));
        envelope.reply_to = std::move(dispatch.reply_to);
    }
    envelope.durable = letter->durable || (letter->has_target() && bus.options().amqp_durable_queues);
    letter->stage = Letter::Stage::handed;
    letter->host = dispatch.host;
    const bool settled =
        letter->settled &&
        (dispatch.profile == nullptr || ((dispatch.profile->durable_settled || !envelope.durable) &&
                                         (dispatch.profile->settled_replies || letter->kind != Letter::Kind::reply)));
    letter->tracker = sender.send(encode_message(std::move(envelope), letter->text), {.settled = settled});
    letter->tracker.on_done(
        [from = std::move(dispatch.outbound), bus = bus.weak_from_this(), letter](const engine::Outcome& outcome) {
            if (const auto outbound = from.lock()) outbound->one_over(*letter, outcome);
            if (const auto alive = bus.lock()) alive->on_outcome(letter, outcome);
        });
}

void Outbound::hand_over(const LetterPtr& letter) {
    const auto bus = bus_.lock();
    const auto peer = peer_.lock();
    if (!bus || !peer) return;
    ++handed_;
    if (ready_for_ > 0) --ready_for_;
    if (bus->metrics() && !stalled_ && sender_.is_open() && sender_.credit() == 0) {
        stalled_ = bus->reactor().now();
        stalled_by_ = letter.get();
    }
    bus::hand_over(*bus, letter, sender_,
                   {.reply_to = peer->reply_address(),
                    .host = peer->host_name(),
                    .profile = &peer->profile(),
                    .outbound = weak_from_this()});
}

void Outbound::one_over(const Letter& letter, const engine::Outcome& outcome) {
    --handed_;
    if (stalled_by_ == &letter) end_stall();
    if (outcome.kind != engine::Outcome::Kind::not_sent) failures_ = 0;
}

void Outbound::tell_ready() {
    const auto bus = bus_.lock();
    if (sender_) ready_for_ = sender_.credit();
    if (bus && !closed_) bus->on_ready(node_.address);
}

void Outbound::end_stall() {
    stalled_by_ = nullptr;
    const auto since = std::exchange(stalled_, std::nullopt);
    if (const auto bus = since ? bus_.lock() : nullptr) bus->metrics()->credit_awaited(bus->reactor().now() - *since);
}

std::deque<LetterPtr> Outbound::close() {
    closed_ = true;
    end_stall();
    if (sender_) std::exchange(sender_, {}).close();
    return std::exchange(waiting_, {});
}

std::string Outbound::obstacle() const {
    if (!sender_ && !last_failure_) return "the peer has not done what is needed before the link";
    if (!sender_) return "the link could not be opened again after the peer closed it";
    if (!sender_.is_open()) return "the peer has not answered the attach of the link";
    if (sender_.credit() == 0) return "the peer gives no credit";
    return "the connection takes no more";
}

void Outbound::on_close(engine::Sender&, const std::optional<engine::Failure>& why) {
    sender_ = {};
    end_stall();
    const auto bus = bus_.lock();
    const auto peer = peer_.lock();
    if (!bus || !peer || closed_) return;
    last_failure_ = why;
    if (!opened_) peer->forget_preparation(node_.address);
    if (why && peer->was_refused(*why, opened_)) return peer->on_refused(*this, *why);
    if (waiting_.empty() && !bus->is_direct()) return;
    open_after(failures_++ == 0 ? Duration::zero() : bus->options().link_retry_delay);
}

}  // namespace aprotic::driver::bus
