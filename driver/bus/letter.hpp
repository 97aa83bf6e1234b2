#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <aprotic/codec/types.hpp>
#include <aprotic/driver/addressing.hpp>
#include <aprotic/driver/bus/call_id.hpp>
#include <aprotic/driver/bus/extras.hpp>
#include <aprotic/driver/bus/node_ref.hpp>
#include <aprotic/driver/error.hpp>
#include <aprotic/driver/json.hpp>
#include <aprotic/driver/metrics.hpp>
#include <aprotic/driver/target.hpp>
#include <aprotic/engine/delivery.hpp>
#include <aprotic/engine/function.hpp>
#include <aprotic/engine/reactor.hpp>

namespace aprotic::driver::bus {

class Peer;

/// One message on its way, from the request to its end. Filled on any thread, then used by the bus on the reactor's
/// thread.
struct Letter {
    enum class Kind {
        call,
        cast,
        reply,
        heartbeat,
        notice,        ///< a call has been given up
        notification,  ///< that something has happened
        connect,       ///< no message: somebody waits for the connection
    };
    /// How far it has come: what a deadline finds missing.
    enum class Stage {
        waiting,   ///< for the connection, or for the reply link
        queued,    ///< at its outbound, whose link is not there
        handed,    ///< to the link, which has not told an outcome
        accepted,  ///< the peer is responsible for it (or it went settled); a call waits for its reply
        ended,
    };

    Letter() = default;
    Letter(const Letter&) = delete;
    Letter& operator=(const Letter&) = delete;
    /// A letter that is dropped ends as closed: nobody waits for ever.
    ~Letter();

    // What is asked.
    Kind kind = Kind::cast;
    std::shared_ptr<const Target> target;  ///< call, cast, notification
    std::string priority;                  ///< notification
    bool durable = false;                  ///< notification: the peer is to keep it
    std::string address;                   ///< of replies, heartbeats and notices given; else the target's
    std::optional<std::string> text;       ///< the body
    std::optional<codec::MessageId> correlation_id;
    bool settled = false;
    Duration timeout{};
    bool with_ttl = false;  ///< the peer is told how much of the timeout is left
    std::optional<Duration> call_monitor_timeout;
    int retries = -1;  ///< further attempts; -1: until the deadline
    Extras extras;
    bool idempotent = false;                    ///< when in doubt it is sent again; a key is made if there is none
    std::unique_ptr<CallFailure> unsendable;    ///< known before it was begun
    engine::Function<void(Result<Json>)> done;  ///< called once; null for a cast

    // How it goes.
    std::uint64_t number = 0;  ///< order of submission
    Stage stage = Stage::waiting;
    std::shared_ptr<Peer> peer;         ///< where it goes, or waits to go; null before and after
    bool is_pinned = false;             ///< it goes to `peer` and to nobody else
    std::shared_ptr<std::size_t> load;  ///< of the server it was given to: what that has under way
    engine::Instant started{};
    std::size_t deadline_place = SIZE_MAX;  ///< among the bus's Deadlines; SIZE_MAX: it is not there
    engine::Reactor::TimerId monitor_timer = 0;
    CallId id;         ///< calls: their message-id
    std::string host;  ///< where it was handed over
    engine::Tracker tracker;
    unsigned heartbeats = 0;
    unsigned given_back = 0;     ///< released or modified so often
    bool may_have_run = false;   ///< sent before, in doubt, and on its way again
    std::string server_address;  ///< of the server that works on it, if it has told

    // LetterList's.
    std::shared_ptr<Letter> next;
    Letter* previous = nullptr;
    bool is_listed = false;

    bool is_request() const noexcept { return kind == Kind::call || kind == Kind::cast; }
    /// As what it counts; nullopt: not at all.
    std::optional<MessageKind> message_kind() const noexcept;
    /// Its address is made anew on each connection.
    bool has_target() const noexcept { return is_request() || kind == Kind::notification; }
    /// What its address is to the link it goes by.
    NodeKind node_kind() const noexcept {
        if (!has_target()) return NodeKind::given;
        return target->fanout ? NodeKind::topic : NodeKind::queue;
    }
    std::size_t size() const noexcept { return text ? text->size() : 0; }
    /// The same request, for one peer and once.
    std::shared_ptr<Letter> copy_for(std::shared_ptr<Peer> one, Duration within) const;
    /// It is given to one of several servers, which has more to do from now on.
    void join(std::shared_ptr<Peer> server, std::shared_ptr<std::size_t> its_load);
    void leave();
    void end(Result<Json> result);
};

using LetterPtr = std::shared_ptr<Letter>;

/// Letters in the order in which they were added, each in one list at a time.
class LetterList {
public:
    LetterList() = default;
    LetterList(const LetterList&) = delete;
    LetterList& operator=(const LetterList&) = delete;
    ~LetterList();

    void add(LetterPtr letter);
    /// False: it is not here. It may go with this.
    bool remove(Letter& letter);
    bool empty() const noexcept { return !first_; }
    /// Those for which `which(const Letter&)` is true, now.
    template <class Which>
    std::vector<LetterPtr> find(Which which) const {
        std::vector<LetterPtr> found;
        for (const LetterPtr* at = &first_; *at; at = &(*at)->next)
            if (which(**at)) found.push_back(*at);
        return found;
    }

private:
    LetterPtr first_;
    Letter* last_ = nullptr;
};

/// The addresses of the targets that were asked for last. Reactor's thread only.
class AddressBook {
public:
    /// Of what has a target.
    const std::string& address_of(const Letter& letter, const std::shared_ptr<const Addresser>& addresser);

private:
    struct Entry {
        std::shared_ptr<const Target> target;  ///< held, so that no other comes to be where it is
        std::shared_ptr<const Addresser> addresser;
        std::string address;
    };
    std::array<Entry, 8> entries_;
    std::size_t next_ = 0;  ///< to be replaced
    std::string other_;     ///< of a notification, whose targets come and go
};

/// A timeout as it is kept: no deadline is further away than ten years, so that points of time do not overflow.
Duration bounded(Duration timeout);

}  // namespace aprotic::driver::bus
