#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <system_error>

#include <aprotic/engine/time.hpp>

namespace aprotic::driver {

using engine::Duration;

/// What a message is that this process sends.
enum class MessageKind : std::uint8_t { call, cast, reply, heartbeat, notification };

/// What a request came to that a server of this process began.
enum class ServeOutcome : std::uint8_t {
    replied,  ///< its method returned; a cast's too
    failed,   ///< its method threw, or its Responder was dropped or told to fail
    no_such_method,
    unsupported_version,
};

/// Why what came to a server or listener was never begun.
enum class Unserved : std::uint8_t {
    malformed,  ///< it was no request or notification
    expired,    ///< its time to live was over
    cancelled,  ///< its caller wants it no more
    repeated,   ///< it was done before, and was answered with what came of it then
    filtered,   ///< a listener's filter or priorities left it out
};

/// Is told what happens in a transport, its clients and its servers, as figures. Set in TransportOptions::metrics; one
/// sink may serve many transports. Called where it happens, on the reactor's thread and on the servers' threads,
/// several at once: implementations must be thread-safe, must not block and must not call us. Times are the reactor's.
class MetricsSink {
public:
    virtual ~MetricsSink() = default;

    // Messages that are sent. Each that begins ends once.

    /// `octets` of the body's text.
    virtual void message_begun(MessageKind, std::size_t /*octets*/) noexcept {}
    /// `outcome` is an Errc, or no error: a call has its reply, another message was written or accepted.
    virtual void message_ended(MessageKind, std::error_code /*outcome*/, Duration /*elapsed*/) noexcept {}
    /// The peer released or modified it; unless its retries are over, it is sent again.
    virtual void message_given_back(MessageKind) noexcept {}
    /// A link that was open and had no credit for a message has some again, has sent that message, or has gone.
    virtual void credit_awaited(Duration /*waited*/) noexcept {}

    // What comes back to clients.

    /// A reply or heartbeat; `octets` of the message as it came.
    virtual void reply_received(std::size_t /*octets*/) noexcept {}
    /// It belongs to no call under way: it is late, or a second one, or nobody's.
    virtual void reply_unmatched() noexcept {}
    virtual void heartbeat_received() noexcept {}

    // Requests at servers, and notifications at listeners. Each that begins ends once.

    /// `octets` of the message as it came.
    virtual void request_received(MessageKind, std::size_t /*octets*/) noexcept {}
    virtual void request_unserved(MessageKind, Unserved) noexcept {}
    /// Its method is called; it `waited` for a thread.
    virtual void request_begun(MessageKind, Duration /*waited*/) noexcept {}
    /// Its method has answered.
    virtual void request_ended(MessageKind, ServeOutcome, Duration /*ran*/) noexcept {}

    // The connection.

    /// It is open, so long after the attempt began.
    virtual void connected(Duration /*took*/) noexcept {}
    virtual void connect_failed(std::error_code) noexcept {}
    /// A connection that was open has gone, not by us.
    virtual void connection_lost(std::error_code) noexcept {}
    /// The transport was closed while a connection was open.
    virtual void disconnected() noexcept {}
    /// There is a connection again, so long after the last was lost.
    virtual void reconnected(Duration /*without*/) noexcept {}
};

/// A sink that counts: a fixed set of atomics, no allocation and no lock while it is told. Any thread.
class Metrics final : public MetricsSink {
public:
    /// Times of one kind, from 1 µs to 1,000 s; what is beyond counts as these.
    enum class Times : std::uint8_t {
        call,  ///< from the request to its end, whatever that was
        cast,
        reply,
        notification,
        credit,     ///< that a link was without credit
        connect,    ///< from the attempt to the open connection
        reconnect,  ///< without a connection
        queue,      ///< of requests, from their arrival until a thread begins them
        handler,    ///< of methods and listeners
    };

    Metrics();
    ~Metrics() override;
    Metrics(const Metrics&) = delete;
    Metrics& operator=(const Metrics&) = delete;

    /// Everything in Prometheus' text format 0.0.4; the names are in docs/metrics.md. Figures that change meanwhile may
    /// be of slightly different moments.
    std::string prometheus_text() const;

    /// How many there were.
    std::uint64_t count(Times) const noexcept;
    /// The time that `share` of them (0 to 1) did not exceed; off by 5 percent at most within the range. Zero without
    /// any.
    Duration quantile(Times, double share) const noexcept;
    /// Messages of a kind that have begun and not ended.
    std::uint64_t in_flight(MessageKind) const noexcept;

    void message_begun(MessageKind kind, std::size_t octets) noexcept override;
    void message_ended(MessageKind kind, std::error_code outcome, Duration elapsed) noexcept override;
    void message_given_back(MessageKind kind) noexcept override;
    void credit_awaited(Duration waited) noexcept override;
    void reply_received(std::size_t octets) noexcept override;
    void reply_unmatched() noexcept override;
    void heartbeat_received() noexcept override;
    void request_received(MessageKind kind, std::size_t octets) noexcept override;
    void request_unserved(MessageKind kind, Unserved why) noexcept override;
    void request_begun(MessageKind kind, Duration waited) noexcept override;
    void request_ended(MessageKind kind, ServeOutcome outcome, Duration ran) noexcept override;
    void connected(Duration took) noexcept override;
    void connect_failed(std::error_code why) noexcept override;
    void connection_lost(std::error_code why) noexcept override;
    void disconnected() noexcept override;
    void reconnected(Duration without) noexcept override;

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace aprotic::driver
