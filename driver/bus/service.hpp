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
    struct Turn;
    using TurnPtr = std::shared_ptr<Turn>;

    void take(engine::Delivery delivery, const RoundPtr& round) override;
    void handle(const TurnPtr& turn);
    /// False: a repeat, which is answered without being run.
    bool is_first(const TurnPtr& turn, const Request& request, const std::stop_source& stop);
    /// False: that failed, and is answered.
    bool deserialize(const TurnPtr& turn, Request& request);
    void drop(Turn& turn, Unserved why);
    void answer(const TurnPtr& turn, Reply reply);
    void send(const TurnPtr& turn, std::string text, bool is_failure = true);
    void tell_unexpected(const std::string& method, const RemoteError& error);

    const Target target_;
    Dispatcher dispatcher_;
    const Acknowledge acknowledge_;
    const std::shared_ptr<const Serializer> serializer_;
    const std::unique_ptr<ReplyWindow> window_;  ///< null without one
    Cancellations cancellations_;                ///< reactor's thread
};

}  // namespace aprotic::driver::bus
