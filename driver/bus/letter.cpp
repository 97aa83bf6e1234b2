#include <aprotic/driver/bus/letter.hpp>

#include <algorithm>
#include <utility>

namespace aprotic::driver::bus {

Letter::~Letter() {
    if (!done) return;
    CallFailure failure;
    failure.code = Errc::closed;
    failure.address = address;
    failure.text = "the transport was closed";
    end(std::move(failure));
}

std::optional<MessageKind> Letter::message_kind() const noexcept {
    switch (kind) {
        case Kind::call: return MessageKind::call;
        case Kind::cast: return MessageKind::cast;
        case Kind::reply: return MessageKind::reply;
        case Kind::heartbeat: return MessageKind::heartbeat;
        case Kind::notification: return MessageKind::notification;
        case Kind::notice:
        case Kind::connect: break;
    }
    return std::nullopt;
}

std::string Letter::address_on(const Addresser& addresser) const {
    return kind == Kind::notification ? addresser.notification_address(target, priority)
                                      : addresser.rpc_address(target);
}

std::shared_ptr<Letter> Letter::copy_for(std::shared_ptr<Peer> one, Duration within) const {
    auto copy = std::make_shared<Letter>();
    copy->kind = kind;
    copy->target = target;
    copy->priority = priority;
    copy->durable = durable;
    copy->text = text;
    copy->settled = settled;
    copy->timeout = within;
    copy->with_ttl = with_ttl;
    copy->extras = extras;
    copy->retries = 0;
    copy->peer = std::move(one);
    copy->is_pinned = true;
    return copy;
}

void Letter::join(std::shared_ptr<Peer> server, std::shared_ptr<std::size_t> its_load) {
    leave();
    peer = std::move(server);
    load = std::move(its_load);
    ++*load;
}

void Letter::leave() {
    if (load) --*std::exchange(load, nullptr);
    peer.reset();
}

void Letter::end(Result<Json> result) {
    stage = Stage::ended;
    if (!done) return;
    auto callback = std::exchange(done, nullptr);
    callback(std::move(result));
}

Duration bounded(Duration timeout) {
    constexpr Duration timeout_max = std::chrono::hours(10 * 365 * 24);
    return std::clamp(timeout, Duration::zero(), timeout_max);
}

}  // namespace aprotic::driver::bus
