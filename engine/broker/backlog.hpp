#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include <aprotic/codec/message.hpp>
#include <aprotic/engine/time.hpp>

namespace aprotic::engine::broker {

/// Names a consumer; never used again while the broker lives. 0 names nobody.
using ConsumerId = std::uint64_t;

struct Claim;

/// A message in the keeping of one backlog: octets shared with whoever else has them, and what the backlog knows about
/// them.
struct Stored {
    codec::EncodedMessage message;
    std::uint64_t sequence = 0;      ///< its place; given by the backlog
    Instant arrived{};               ///< counts for what expires
    std::optional<Instant> expires;  ///< arrival plus header.ttl [3.2.1-e]
    std::uint32_t failures = 0;      ///< unsuccessful deliveries here, on top of the header's delivery-count [3.4.5]
    std::vector<ConsumerId> unwanted_by;  ///< said undeliverable-here [3.4.5]
    std::shared_ptr<Claim> claim;         ///< while a transaction may decide on it

    bool expired(Instant now) const noexcept { return expires && *expires <= now; }
    bool unwanted(ConsumerId by) const noexcept;
};
using StoredPtr = std::unique_ptr<Stored>;

/// What messages that have gone were kept in, for those that come. One for all nodes of a broker.
class Spares {
public:
    /// An empty one.
    StoredPtr take() {
        if (spares_.empty()) return std::make_unique<Stored>();
        StoredPtr taken = std::move(spares_.back());
        spares_.pop_back();
        return taken;
    }
    void give_back(StoredPtr gone);

private:
    std::vector<StoredPtr> spares_;
};

/// What goes to a consumer now: the message itself, or the same with a header that counts failed deliveries and takes
/// the time spent here off the ttl. [3.2.1-f], [3.4.5-a]
codec::EncodedMessage outgoing(const Stored& stored, Instant now);

/// Messages in order of arrival. A message is available, or acquired: then its consumer holds it, and it comes back to
/// its place or is retired. Both kinds count. Pure; time is an argument.
class Backlog {
public:
    /// Takes a new message in at the end.
    void append(StoredPtr stored);
    /// The same for one that is acquired at once; while nothing is available, or it would go before what is.
    void append_acquired(Stored& stored);
    /// The oldest available message that lives and that `by` has not refused; null when there is none. Expired ones
    /// found on the way are dropped.
    StoredPtr acquire(ConsumerId by, Instant now);
    /// An acquired message is available again, at its old place.
    void put_back(StoredPtr stored);
    /// An acquired message is gone for good.
    void retire(const Stored& stored);

    /// The first available, living message behind `sequence` (0: from the start), left where it is. [3.5.2-a]
    const Stored* next_after(std::uint64_t sequence, Instant now) const;
    /// Drops the oldest available message. False when all are acquired.
    bool drop_oldest();
    /// Drops what has expired; the moment at which the next one will.
    std::optional<Instant> expire(Instant now);

    std::size_t available() const noexcept { return fresh_.size() + returned_.size(); }
    std::size_t messages() const noexcept { return messages_; }  ///< available and acquired
    std::size_t bytes() const noexcept { return bytes_; }        ///< of these messages
    bool can_expire() const noexcept { return expiring_ != 0; }  ///< some of them; else time makes no difference

private:
    // fresh_ has never been acquired; every message of returned_ is older than its front. Both ascend by sequence.
    std::deque<StoredPtr> fresh_;
    std::map<std::uint64_t, StoredPtr> returned_;
    std::uint64_t last_sequence_ = 0;
    std::size_t messages_ = 0;
    std::size_t bytes_ = 0;
    std::size_t expiring_ = 0;
};

}  // namespace aprotic::engine::broker
