#include <aprotic/engine/broker/backlog.hpp>

#include <algorithm>
#include <utility>

#include <aprotic/codec/message_view.hpp>

namespace aprotic::engine::broker {

bool Stored::unwanted(ConsumerId by) const noexcept { return std::ranges::find(unwanted_by, by) != unwanted_by.end(); }

void Spares::give_back(StoredPtr gone) {
    constexpr std::size_t kept_max = 1024;  // as many as a consumer with much credit holds, in 200 KiB
    if (spares_.size() >= kept_max) return;
    gone->message = {};
    gone->expires.reset();
    gone->failures = 0;
    gone->unwanted_by.clear();
    gone->claim.reset();
    spares_.push_back(std::move(gone));
}

codec::EncodedMessage outgoing(const Stored& stored, Instant now) {
    if (stored.failures == 0 && !stored.expires) return stored.message;
    const auto spent = std::chrono::duration_cast<std::chrono::milliseconds>(now - stored.arrived).count();
    const bool shorten = stored.expires && spent > 0;
    if (stored.failures == 0 && !shorten) return stored.message;
    codec::Header header = codec::MessageView(stored.message).header();
    header.delivery_count += std::min(stored.failures, UINT32_MAX - header.delivery_count);
    if (shorten && header.ttl)
        header.ttl = static_cast<std::uint32_t>(std::max<std::int64_t>(1, std::int64_t{*header.ttl} - spent));
    auto changed = stored.message.with_header(header);
    return changed ? std::move(changed).value() : stored.message;
}

void Backlog::append(StoredPtr stored) {
    append_acquired(*stored);
    fresh_.push_back(std::move(stored));
}

void Backlog::append_acquired(Stored& stored) {
    stored.sequence = ++last_sequence_;
    ++messages_;
    bytes_ += stored.message.size();
    expiring_ += stored.expires ? 1 : 0;
}

StoredPtr Backlog::acquire(ConsumerId by, Instant now) {
    for (auto at = returned_.begin(); at != returned_.end();) {
        if (at->second->expired(now)) {
            retire(*at->second);
            at = returned_.erase(at);
        } else if (at->second->unwanted(by)) {
            ++at;
        } else {
            StoredPtr taken = std::move(at->second);
            returned_.erase(at);
            return taken;
        }
    }
    while (!fresh_.empty()) {
        StoredPtr taken = std::move(fresh_.front());
        fresh_.pop_front();
        if (!taken->expired(now)) return taken;
        retire(*taken);
    }
    return nullptr;
}

void Backlog::put_back(StoredPtr stored) {
    const auto sequence = stored->sequence;
    returned_.emplace(sequence, std::move(stored));
}

void Backlog::retire(const Stored& stored) {
    --messages_;
    bytes_ -= stored.message.size();
    expiring_ -= stored.expires ? 1 : 0;
}

const Stored* Backlog::next_after(std::uint64_t sequence, Instant now) const {
    for (auto at = returned_.upper_bound(sequence); at != returned_.end(); ++at)
        if (!at->second->expired(now)) return at->second.get();
    auto at = std::ranges::upper_bound(fresh_, sequence, {}, [](const StoredPtr& s) { return s->sequence; });
    for (; at != fresh_.end(); ++at)
        if (!(*at)->expired(now)) return at->get();
    return nullptr;
}

bool Backlog::drop_oldest() {
    if (!returned_.empty()) {
        retire(*returned_.begin()->second);
        returned_.erase(returned_.begin());
        return true;
    }
    if (fresh_.empty()) return false;
    retire(*fresh_.front());
    fresh_.pop_front();
    return true;
}

std::optional<Instant> Backlog::expire(Instant now) {
    std::optional<Instant> next;
    auto dead = [&](const Stored& stored) {
        if (!stored.expires) return false;
        if (!stored.expired(now)) {
            next = next ? std::min(*next, *stored.expires) : *stored.expires;
            return false;
        }
        retire(stored);
        return true;
    };
    std::erase_if(returned_, [&](const auto& entry) { return dead(*entry.second); });
    std::erase_if(fresh_, [&](const StoredPtr& stored) { return dead(*stored); });
    return next;
}

}  // namespace aprotic::engine::broker
