#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <aprotic/driver/addressing.hpp>
#include <aprotic/driver/bus/node_ref.hpp>
#include <aprotic/driver/error.hpp>
#include <aprotic/engine/connection.hpp>
#include <aprotic/engine/function.hpp>

namespace aprotic::driver::bus {

class Bus;

/// What somebody listens on: a link for each node.
struct Subscription {
    /// The nodes on a connection; of equal addresses the first counts. Reactor's thread.
    std::function<std::vector<NodeRef>(const Addresser&)> nodes;
    std::uint32_t credit = 100;  ///< messages taken and not settled, for each link
};

/// The links of a server or listener, attached again on every connection. Reactor's thread only.
class Inbound final : public std::enable_shared_from_this<Inbound> {
public:
    struct Callbacks {
        engine::Function<void(engine::Delivery)> message;
        /// Whether all links are open, told when a link opens, closes or could not be had.
        engine::Function<void(bool ready, std::optional<CallFailure> obstacle)> state;
    };

    Inbound(Bus& bus, Subscription subscription, Callbacks callbacks);

    /// There is a connection: attach.
    void attach();
    /// The connection, or the hope for one, has gone.
    void lost(CallFailure why);
    // Where it is not links of ours that requests come by.
    std::vector<std::string> own_addresses() const;
    void take(engine::Delivery delivery) { callbacks_.message(std::move(delivery)); }
    std::uint32_t credit() const noexcept { return subscription_.credit; }
    /// Whether it is reached on all addresses, or what keeps it from that.
    void tell(bool ready, std::optional<CallFailure> obstacle) {
        if (callbacks_.state) callbacks_.state(ready, std::move(obstacle));
    }
    /// After drain(): nothing is on its way any more.
    void quiet() {
        if (drained_) std::exchange(drained_, nullptr)();
    }

    /// Takes no more: the peer's credit is withdrawn, and links that are not open are closed. What is on its way still
    /// comes, until `drained` is called, once; then close(). Closed before, it is called then.
    void drain(engine::Function<void()> drained);
    /// Detaches for good.
    void close();

private:
    struct Link;

    void attach(std::size_t index);
    void open(const std::shared_ptr<Link>& link);
    void report(std::optional<CallFailure> obstacle = {});
    void check_drained();

    std::weak_ptr<Bus> bus_;
    Subscription subscription_;
    Callbacks callbacks_;
    std::vector<NodeRef> nodes_;
    std::vector<std::shared_ptr<Link>> links_;  ///< one for each node, null while there is none
    bool draining_ = false;
    engine::Function<void()> drained_;
    bool closed_ = false;
};

}  // namespace aprotic::driver::bus
