#pragma once

#include <memory>
#include <string>

#include <aprotic/driver/bus/cancellations.hpp>
#include <aprotic/driver/bus/listening.hpp>
#include <aprotic/driver/bus/reply_window.hpp>
#include <aprotic/driver/rpc_server.hpp>

namespace aprotic::driver::bus {

/// A server: takes requests, has its dispatcher run them, sends the answers. Any thread, but where it says otherwise.
class Service final : public Listening {
public:
    Service(std::shared_ptr<Bus> bus, Target target, Dispatcher dispatcher, const RpcServerOptions& options,
            unsigned threads);

    const Target& target() const noexcept { return target_; }
    Dispatcher& dispatcher() noexcept { return dispatcher_; }

    void start();

private:
    struct Special;
    struct Arrival;
    struct Turn;

    void take(engine::Delivery delivery) override;
    void handle(Stay stay, Arrival arrival);
    /// False: a repeat, which is answered without being run.
    bool is_first(const std::shared_ptr<Turn>& turn, const Request& request, const std::stop_source& stop);
    /// False: that failed, and is answered.
    bool deserialize(const std::shared_ptr<Turn>& turn, Request& request);
    void drop(const Turn& turn, engine::Delivery& delivery, Unserved why);
    void answer(const std::shared_ptr<Turn>& turn, Reply reply);
    void send(const std::shared_ptr<Turn>& turn, std::string text, bool is_failure = true);
    void tell_unexpected(const std::string& method, const RemoteError& error);

    const Target target_;
    Dispatcher dispatcher_;
    const Acknowledge acknowledge_;
    const std::shared_ptr<const Serializer> serializer_;
    const std::unique_ptr<ReplyWindow> window_;  ///< null without one
    Cancellations cancellations_;                ///< reactor's thread
};

}  // namespace aprotic::driver::bus
