#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>

#include <aprotic/driver/bus/letter.hpp>
#include <aprotic/engine/connection.hpp>

namespace aprotic::driver::bus {

class Bus;
class Peer;

/// The dynamic link on which all replies of one connection come, and the calls that wait for them. Reactor's thread
/// only.
class Replies final : public engine::ReceiverHandler, public std::enable_shared_from_this<Replies> {
public:
    explicit Replies(Peer& peer);

    /// Attaches unless that has been done.
    void open();
    void close();
    bool is_open() const noexcept { return !address_.empty(); }
    /// The node the peer made for us; empty while the link is not open.
    const std::string& address() const noexcept { return address_; }

    void expect(const LetterPtr& call) { calls_[call->message_id] = call; }
    bool expects(const std::string& message_id) const { return calls_.contains(message_id); }
    void forget(const std::string& message_id) { calls_.erase(message_id); }

    void on_open(engine::Receiver& receiver) override;
    void on_message(engine::Receiver& receiver, engine::Delivery& delivery) override;
    void on_close(engine::Receiver& receiver, const std::optional<engine::Failure>& why) override;

private:
    std::weak_ptr<Peer> peer_;
    std::weak_ptr<Bus> bus_;
    engine::Receiver receiver_;
    std::string address_;
    bool closed_ = false;  ///< by the bus: this object is on its way out
    std::map<std::string, LetterPtr, std::less<>> calls_;
};

}  // namespace aprotic::driver::bus
