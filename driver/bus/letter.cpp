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

LetterList::~LetterList() {
    // One by one: a chain that goes at once would need a stack as deep as it is long.
    while (first_) first_ = std::move(first_->next);
}

void LetterList::add(LetterPtr letter) {
    letter->is_listed = true;
    letter->previous = last_;
    LetterPtr& place = last_ != nullptr ? last_->next : first_;
    last_ = letter.get();
    place = std::move(letter);
}

bool LetterList::remove(Letter& letter) {
    if (!std::exchange(letter.is_listed, false)) return false;
    Letter* const before = std::exchange(letter.previous, nullptr);
    LetterPtr& place = before != nullptr ? before->next : first_;
    const LetterPtr held = std::move(place);
    place = std::move(letter.next);
    if (place)
        place->previous = before;
    else
        last_ = before;
    return true;
}

const std::string& AddressBook::address_of(const Letter& letter, const std::shared_ptr<const Addresser>& addresser) {
    if (letter.kind == Letter::Kind::notification)
        return other_ = addresser->notification_address(*letter.target, letter.priority);
    for (const auto& entry : entries_)
        if (entry.target == letter.target && entry.addresser == addresser) return entry.address;
    Entry& entry = entries_[next_++ % entries_.size()];
    entry = {letter.target, addresser, addresser->rpc_address(*letter.target)};
    return entry.address;
}

Duration bounded(Duration timeout) {
    constexpr Duration timeout_max = std::chrono::hours(10 * 365 * 24);
    return std::clamp(timeout, Duration::zero(), timeout_max);
}

}  // namespace aprotic::driver::bus
