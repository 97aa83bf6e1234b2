#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <functional>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <aprotic/codec/frame.hpp>
#include <aprotic/codec/performatives.hpp>
#include <aprotic/engine/trace.hpp>

namespace aprotic::driver::cli {

/// What one connection showed of its peer, and when. Filled on the reactor's thread, read by any.
class ConnectionRecord final : public engine::TraceSink {
public:
    using Clock = std::chrono::steady_clock;

    struct Header {
        bool outgoing = false;
        std::string text{};  ///< "SASL 1.0.0"
    };
    struct Seen {
        std::vector<Header> headers;
        std::vector<engine::CertificateSummary> chain;
        std::optional<engine::TlsStatus> tls;
        std::optional<std::vector<std::string>> mechanisms;  ///< that the peer offers
        std::optional<std::string> mechanism;                ///< that we chose
        std::optional<std::string> outcome;                  ///< "ok", "auth", …
        std::optional<codec::Open> open;                     ///< the peer's
        std::optional<Clock::time_point> secured_at, opened_at;
        Clock::time_point begin_sent_at;
        std::vector<std::chrono::nanoseconds> round_trips;  ///< from a begin to the peer's
        std::size_t sessions_ended = 0;                     ///< by the peer's end
    };

    void frame(bool outgoing, std::span<const std::byte> bytes) override;
    void certificates(std::span<const engine::CertificateSummary> chain) override;
    void secured(const engine::TlsStatus& agreed) override;

    Seen seen() const;
    /// Waits until what was seen is enough; false when it is not in time.
    bool wait(const std::function<bool(const Seen&)>& enough, std::chrono::nanoseconds timeout) const;

private:
    void see(bool outgoing, const codec::FrameView& frame);

    mutable std::mutex mutex_;
    mutable std::condition_variable changed_;
    Seen seen_;
};

}  // namespace aprotic::driver::cli
