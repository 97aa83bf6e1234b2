#pragma once

#include <memory>
#include <optional>
#include <string>
#include <unordered_map>

#include <aprotic/driver/bus/letter.hpp>
#include <aprotic/driver/bus/node_ref.hpp>
#include <aprotic/engine/connection.hpp>

namespace aprotic::driver::bus {

class Bus;
class Peer;

/// The link on which all replies of one connection come, and the calls that wait for them. Reactor's thread
/// only.
class Replies final : public engine::ReceiverHandler, public std::enable_shared_from_this<Replies> {
public:
    explicit Replies(Peer& peer);

    /// Attaches unless that has been done.
    void open();
    void close();
    bool is_open() const noexcept { return !address_.empty(); }
    /// What servers are told: the node the peer made for us, or the queue we have for it. Empty while the link is not
    /// open.
    const std::string& address() const noexcept { return address_; }

    void expect(const LetterPtr& call) { calls_[call->id] = call; }
    bool expects(const CallId& call) const { return calls_.contains(call); }
    void forget(const CallId& call) { calls_.erase(call); }

    void on_open(engine::Receiver& receiver) override;
    void on_message(engine::Receiver& receiver, engine::Delivery& delivery) override;
    void on_close(engine::Receiver& receiver, const std::optional<engine::Failure>& why) override;

private:
    void attach();
    void take(Bus& bus, engine::Delivery& delivery);
    void lost(const std::optional<engine::Failure>& why);

    std::weak_ptr<Peer> peer_;
    std::weak_ptr<Bus> bus_;
    engine::Receiver receiver_;
    std::string address_;
    NodeRef node_;          ///< a queue of ours; without an address where the peer makes the node
    std::string reply_to_;  ///< of a queue; else empty
    bool preparing_ = false;
    bool closed_ = false;  ///< by the bus: this object is on its way out
    std::unordered_map<CallId, LetterPtr, CallId::Hash> calls_;
};

}  // namespace aprotic::driver::bus
