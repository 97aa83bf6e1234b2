#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>

#include <aprotic/codec/types.hpp>
#include <aprotic/driver/bus/bus.hpp>

namespace aprotic::driver::bus {

/// Where and under which name an answer goes.
struct ReturnAddress {
    std::string address;
    codec::MessageId correlation_id;
};

/// `done` is told what came of it.
void send_reply(Bus& bus, const ReturnAddress& to, std::string text, engine::Function<void(Result<Json>)> done);

/// Tells a monitored caller that its call is being worked on, until it is dropped. Begins with half the time the caller
/// gives us.
class Pulse : public std::enable_shared_from_this<Pulse> {
public:
    /// `server` is told along, for notices; nullopt: not.
    Pulse(ReturnAddress to, Duration caller_waits, std::optional<Target> server)
        : to_(std::move(to)), caller_waits_(caller_waits), server_(std::move(server)) {}

    /// Reactor's thread.
    void start(Bus& bus);
    void stop() noexcept { stopped_ = true; }

private:
    void beat(Bus& bus) const;

    const ReturnAddress to_;
    const Duration caller_waits_;
    const std::optional<Target> server_;
    std::atomic<bool> stopped_ = false;
};

}  // namespace aprotic::driver::bus
