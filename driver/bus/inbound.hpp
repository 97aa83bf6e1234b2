#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string>

#include <aprotic/driver/error.hpp>
#include <aprotic/driver/target.hpp>
#include <aprotic/engine/connection.hpp>
#include <aprotic/engine/function.hpp>

namespace aprotic::driver::bus {

class Bus;

/// A server's three links, attached again on every connection. Reactor's thread only.
class Inbound final : public std::enable_shared_from_this<Inbound> {
public:
    struct Callbacks {
        engine::Function<void(engine::Delivery)> message;
        /// The number of open links changed, or a link could not be had.
        engine::Function<void(std::size_t open, std::optional<CallFailure> obstacle)> state;
    };
    static constexpr std::size_t link_count = 3;

    Inbound(Bus& bus, Target target, Callbacks callbacks);

    /// There is a connection: attach.
    void attach();
    /// The connection, or the hope for one, has gone.
    void lost(CallFailure why);
    /// Detaches for good.
    void close();

private:
    struct Link;

    void attach(std::size_t index);
    void report(std::optional<CallFailure> obstacle = {});

    std::weak_ptr<Bus> bus_;
    Target target_;
    Callbacks callbacks_;
    std::array<std::string, link_count> addresses_;
    std::array<std::shared_ptr<Link>, link_count> links_;
    bool closed_ = false;
};

}  // namespace aprotic::driver::bus
