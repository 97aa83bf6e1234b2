#include <aprotic/driver/bus/replies.hpp>

#include <utility>

#include <fmt/core.h>

#include <aprotic/driver/bus/bus.hpp>
#include <aprotic/driver/bus/envelope.hpp>

namespace aprotic::driver::bus {

Replies::Replies(Peer& peer) : peer_(peer.weak_from_this()), bus_(peer.bus()) {}

void Replies::open() {
    const auto bus = bus_.lock();
    const auto peer = peer_.lock();
    if (!bus || !peer || closed_ || receiver_) return;
    engine::ReceiverOptions options;
    options.link.name = fmt::format("openstack.org/om/receiver/[rpc-response]/{}", bus->random_id());
    options.link.source.emplace().dynamic = true;
    std::get<codec::Target>(options.link.target.emplace(codec::Target())).address = "rpc-response";
    options.credit = bus->options().reply_link_credit;
    options.dynamic = true;
    receiver_ = peer->connection().open_receiver({}, std::move(options), shared_from_this());
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
    address_ = receiver.address();
    bus->on_reply_link_open(*peer);
}

void Replies::on_message(engine::Receiver&, engine::Delivery& delivery) {
    const auto bus = bus_.lock();
    if (!bus || closed_) return;
    MetricsSink* const metrics = bus->metrics();
    if (metrics) metrics->reply_received(delivery.payload().size());
    const auto id = delivery.message().correlation_id();
    const auto* text = id ? std::get_if<std::string_view>(&*id) : nullptr;
    const auto call = text != nullptr ? calls_.find(*text) : calls_.end();
    if (call == calls_.end()) {
        // Late, or a second one. [oslo wire 6]
        if (metrics) metrics->reply_unmatched();
        delivery.modify(true, true);
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

void Replies::on_close(engine::Receiver&, const std::optional<engine::Failure>& why) {
    receiver_ = {};
    const bool was_open = !std::exchange(address_, {}).empty();
    const auto bus = bus_.lock();
    const auto peer = peer_.lock();
    if (!bus || !peer || closed_) return;
    std::map<std::string, LetterPtr, std::less<>> calls;
    calls.swap(calls_);
    bus->on_reply_link_lost(*peer, was_open, why);
}

}  // namespace aprotic::driver::bus
