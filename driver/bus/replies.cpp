#include <aprotic/driver/bus/replies.hpp>

#include <algorithm>
#include <utility>

#include <fmt/core.h>

#include <aprotic/driver/bus/bus.hpp>
#include <aprotic/driver/bus/envelope.hpp>
#include <aprotic/driver/bus/profile_addresser.hpp>
#include <aprotic/driver/bus/termini.hpp>

namespace aprotic::driver::bus {

Replies::Replies(Peer& peer) : peer_(peer.weak_from_this()), bus_(peer.bus()) {
    const auto bus = bus_.lock();
    const Profile& profile = peer.profile();
    if (!bus || profile.reply_node != ReplyNode::queue) return;
    const std::string id = bus->random_id();
    const auto fill = [&](const std::string& form) { return fill_address(form, NameEncoding::none, {}, {}, id); };
    node_ = {.address = fill(profile.reply_address), .kind = NodeKind::queue, .ours_alone = true};
    reply_to_ = fill(profile.reply_to_address);
}

void Replies::open() {
    const auto peer = peer_.lock();
    if (!peer || closed_ || receiver_ || preparing_) return;
    if (node_.address.empty()) return attach();
    preparing_ = true;
    peer->prepare(node_, [self = weak_from_this()](const std::optional<engine::Failure>& why) {
        const auto alive = self.lock();
        if (!alive || alive->closed_) return;
        alive->preparing_ = false;
        if (why)
            alive->lost(why);
        else
            alive->attach();
    });
}

void Replies::attach() {
    const auto bus = bus_.lock();
    const auto peer = peer_.lock();
    if (!bus || !peer) return;
    const Profile& profile = peer->profile();
    engine::ReceiverOptions options;
    options.link = reply_link(node_, profile, bus->random_id());
    options.credit = std::max(bus->options().reply_link_credit, profile.reply_credit_min);
    options.dynamic = node_.address.empty();
    receiver_ = peer->open_receiver(node_.address, std::move(options), shared_from_this());
}

void Replies::close() {
    closed_ = true;
    address_.clear();
    calls_.clear();
    if (receiver_) std::exchange(receiver_, {}).close();
}

void Replies::on_open(engine::Receiver& receiver) {
    const auto bus = bus_.lock();
    const auto peer = peer_.lock();
    if (!bus || !peer || closed_) return;
    address_ = reply_to_.empty() ? receiver.address() : reply_to_;
    bus->on_reply_link_open(*peer);
}

void Replies::on_message(engine::Receiver&, engine::Delivery& delivery) {
    const auto bus = bus_.lock();
    if (bus && !closed_) bus->tell([&] { take(*bus, delivery); });
}

void Replies::take(Bus& on, engine::Delivery& delivery) {
    Bus* const bus = &on;
    MetricsSink* const metrics = bus->metrics();
    if (metrics) metrics->reply_received(delivery.payload().size());
    const auto id = delivery.message().correlation_id();
    const auto* const text = id ? std::get_if<std::string_view>(&*id) : nullptr;
    const auto known = text != nullptr ? CallId::parse(*text) : std::nullopt;
    const auto call = known ? calls_.find(*known) : calls_.end();
    if (call == calls_.end()) {
        // Late, or a second one. [oslo wire 6]
        if (metrics) metrics->reply_unmatched();
        const auto peer = peer_.lock();
        if (peer && peer->profile().modified)
            delivery.modify(true, true);
        else
            delivery.accept();
        return;
    }
    auto content = read_reply(delivery.message(), bus->options().json);
    if (!content) {
        delivery.reject(codec::ErrorCondition{codec::condition::decode_error, content.error(), {}});
    } else {
        delivery.accept();
    }
    const LetterPtr letter = call->second;
    if (content && std::holds_alternative<Heartbeat>(*content)) {
        if (letter->extras.cancellable)
            if (auto address = Extras::read(delivery.message()).server_address)
                letter->server_address = std::move(*address);
        bus->on_heartbeat(letter);
        return;
    }
    calls_.erase(call);
    if (!content) {
        CallFailure failure = bus->failure_of(*letter, Errc::bad_reply, content.error());
        bus->end(letter, std::move(failure));
    } else if (auto* value = std::get_if<Json>(&*content)) {
        bus->end(letter, std::move(*value));
    } else {
        auto& error = std::get<RemoteError>(*content);
        const Errc code = code_of(error);
        std::string said = code == Errc::remote_error && !error.type.empty()
                               ? fmt::format("{}: {}", error.type, error.message)
                               : error.message;
        CallFailure failure = bus->failure_of(*letter, code, std::move(said));
        failure.remote = std::move(error);
        bus->end(letter, std::move(failure));
    }
}

void Replies::on_close(engine::Receiver&, const std::optional<engine::Failure>& why) { lost(why); }

void Replies::lost(const std::optional<engine::Failure>& why) {
    receiver_ = {};
    const bool was_open = !std::exchange(address_, {}).empty();
    const auto bus = bus_.lock();
    const auto peer = peer_.lock();
    if (!bus || !peer || closed_) return;
    const auto calls = std::exchange(calls_, {});
    if (!was_open) peer->forget_preparation(node_.address);
    const bool ended_with_others = !was_open && why && why->code == engine::Errc::ended_by_peer &&
                                   why->initiator == engine::Initiator::peer && !peer->was_refused(*why, false);
    bus->on_reply_link_lost(*peer, was_open || ended_with_others, why);
    if (was_open || !why || why->initiator == engine::Initiator::peer) return;
    // What was to be done before the link could not be done; with the connection this object is gone by then.
    bus->reactor().start_timer(bus->reactor().now() + bus->options().link_retry_delay, [self = weak_from_this()] {
        if (const auto alive = self.lock()) alive->open();
    });
}

}  // namespace aprotic::driver::bus
