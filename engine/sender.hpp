#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include <aprotic/codec/performatives.hpp>
#include <aprotic/engine/delivery.hpp>
#include <aprotic/engine/handler.hpp>
#include <aprotic/engine/options.hpp>

namespace aprotic::engine {

/// A sending link beyond its address.
struct SenderOptions {
    LinkOptions link{};  ///< name, modes, capabilities; termini are filled in when absent
    /// Bytes handed over and not yet settled or written. Beyond it send() waits (other threads) or refuses (reactor
    /// thread).
    std::size_t queue_bytes_max = 16 * 1024 * 1024;
};

/// Per message.
struct SendParameters {
    bool settled = false;                  ///< fire and forget
    std::optional<Duration> timeout = {};  ///< unsent after this: taken back, not_sent(timed_out)
    std::optional<codec::DeliveryTag> tag = {};
};

/// A handle on a sending link. Cheap to copy, any thread. The link is closed, without blocking, when the last handle
/// goes and it has no handler.
class Sender {
public:
    Sender() = default;  ///< names nothing; every call but assignment is our caller's fault

    /// Queues a message; it goes out when the link is open and has credit. Encodes on the calling thread. A full queue
    /// blocks the caller, unless it is the reactor's thread or `parameters.timeout` passes: then the tracker has ended
    /// as not_sent.
    Tracker send(const codec::Message& message, const SendParameters& parameters = {}) const;
    /// The same for bytes already encoded, shared by reference: one EncodedMessage may go to many senders.
    Tracker send(codec::EncodedMessage message, const SendParameters& parameters = {}) const;

    /// Waits until the peer has answered. The failure of a refused link carries the peer's condition.
    codec::Result<void, Failure> wait_open(Duration timeout) const;
    /// Detaches with closed=true; queued messages end as not_sent, unsettled ones as in_doubt.
    void close(std::optional<codec::ErrorCondition> error = {}) const;

    /// Reactor's thread only: deliveries that may start now / handed over and not finished.
    std::uint32_t credit() const;
    std::size_t pending() const;
    bool is_open() const;  ///< any thread; a moment's view
    /// The peer's attach; reactor's thread only, null before on_open.
    const codec::Attach* remote() const;
    const std::string& name() const;
    /// The target's address: the peer's when the node is dynamic, else ours.
    std::string address() const;

    explicit operator bool() const noexcept { return state_ != nullptr; }

private:
    friend struct ConnectionState;
    friend struct SenderState;
    explicit Sender(std::shared_ptr<struct SenderState> state) : state_(std::move(state)) {}
    std::shared_ptr<struct SenderState> state_;
};

}  // namespace aprotic::engine
