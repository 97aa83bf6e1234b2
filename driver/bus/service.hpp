#pragma once

#include <condition_variable>
#include <cstddef>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include <aprotic/driver/bus/bus.hpp>
#include <aprotic/driver/bus/reply_window.hpp>
#include <aprotic/driver/rpc_server.hpp>

namespace aprotic::driver::bus {

/// A server: takes requests, has its dispatcher run them, sends the answers. Any thread, but where it says otherwise.
class Service final : public std::enable_shared_from_this<Service> {
public:
    Service(std::shared_ptr<Bus> bus, Target target, Dispatcher dispatcher, const RpcServerOptions& options,
            unsigned threads);

    const Target& target() const noexcept { return target_; }
    Dispatcher& dispatcher() noexcept { return dispatcher_; }

    void start();
    Result<void> stop(Duration timeout);
    Result<void> wait_ready(Duration timeout);
    bool is_ready();

private:
    struct Arrival;
    struct Round;
    struct Turn;
    using RoundPtr = std::shared_ptr<Round>;

    void receive(const RoundPtr& round, engine::Delivery delivery);
    void handle(const RoundPtr& round, Arrival arrival);
    /// False: a repeat, which is answered without being run.
    bool is_first(const std::shared_ptr<Turn>& turn, const Request& request, const std::stop_source& stop);
    /// False: that failed, and is answered.
    bool deserialize(const std::shared_ptr<Turn>& turn, Request& request);
    void drop(const Turn& turn, engine::Delivery& delivery, Unserved why);
    void answer(const std::shared_ptr<Turn>& turn, Reply reply);
    void send(const std::shared_ptr<Turn>& turn, std::string text, bool is_failure = true);
    void close_when_over(const RoundPtr& round, Bus& bus);
    void tell_unexpected(const std::string& method, const RemoteError& error);

    const std::shared_ptr<Bus> bus_;
    const Target target_;
    Dispatcher dispatcher_;
    const unsigned threads_;
    const Acknowledge acknowledge_;
    const std::shared_ptr<const Serializer> serializer_;
    const std::unique_ptr<ReplyWindow> window_;  ///< null without one

    std::mutex mutex_;
    std::condition_variable changed_;
    RoundPtr round_;           ///< from start() to stop()
    std::size_t running_ = 0;  ///< requests begun whose reply has not gone, of all rounds
};

}  // namespace aprotic::driver::bus
