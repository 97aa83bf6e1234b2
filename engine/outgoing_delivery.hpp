#pragma once

#include <memory>
#include <optional>
#include <stop_token>

#include <aprotic/codec/bytes.hpp>
#include <aprotic/engine/async.hpp>
#include <aprotic/engine/delivery.hpp>

namespace aprotic::engine {

/// One message under way, handed over in parts: what the parts make together are the octets of an encoded message.
/// Movable; any thread, one at a time. Destroyed without finish(), the message is aborted; that never blocks.
///
/// Parts go out as they come and are not kept. Messages that are sent on the same link later wait behind the last one;
/// other links go on. Up to SenderOptions::queue_bytes_max of this message may wait to go out. Should the receiver
/// settle it before its end, what is left is not sent and append() fails.
class OutgoingDelivery {
public:
    OutgoingDelivery() = default;  ///< names nothing
    OutgoingDelivery(OutgoingDelivery&&) noexcept = default;
    OutgoingDelivery& operator=(OutgoingDelivery&& other) noexcept;
    ~OutgoingDelivery();

    /// Adds octets, by reference. Blocks while too many wait, at most `timeout`; on the reactor's thread it fails with
    /// Errc::queue_full instead. After another failure the message has ended: tracker() says how.
    codec::Result<void, Failure> append(codec::ByteChain part, std::optional<Duration> timeout = {});
    /// As append; done when there was room. One at a time: the next part only after it. Cancelled, it adds nothing.
    Async<void> async_append(codec::ByteChain part, Duration timeout, std::stop_token cancel = {});
    /// Adds one data section with these octets. [3.2.6]
    codec::Result<void, Failure> append_data(codec::Bytes octets, std::optional<Duration> timeout = {});

    /// The message is whole. The handle names nothing afterwards.
    Tracker finish();
    /// Takes the message back: the peer drops what it has of it. Its tracker ends as not_sent(aborted), and the handle
    /// names nothing afterwards.
    void abort();
    /// Also before the end: the receiver may settle a message before it has all of it.
    Tracker tracker() const { return tracker_; }

    explicit operator bool() const noexcept { return state_ != nullptr; }

private:
    friend struct SenderState;
    OutgoingDelivery(std::shared_ptr<struct SenderState> state, Tracker tracker)
        : state_(std::move(state)), tracker_(std::move(tracker)) {}
    std::shared_ptr<struct SenderState> state_;
    Tracker tracker_;
};

}  // namespace aprotic::engine
