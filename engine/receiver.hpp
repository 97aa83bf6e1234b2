#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include <aprotic/codec/performatives.hpp>
#include <aprotic/engine/delivery.hpp>
#include <aprotic/engine/handler.hpp>
#include <aprotic/engine/options.hpp>

namespace aprotic::engine {

/// A receiving link beyond its address.
struct ReceiverOptions {
    LinkOptions link{};  ///< name, modes, capabilities; termini are filled in when absent
    /// Deliveries the peer may have under way: topped up as they are settled, so credit plus unsettled never exceeds
    /// it. 0: the application grants by add_credit.
    std::uint32_t credit = 100;
    bool dynamic = false;  ///< ask the peer to make a node and name it; the address given to open_receiver is ignored
};

/// A handle on a receiving link. Cheap to copy, any thread. The link is closed, without blocking, when the last handle
/// goes and it has no handler.
class Receiver {
public:
    Receiver() = default;  ///< names nothing

    /// The next message, for links opened without a handler. Errors: timed_out, would_deadlock, or why the link ended.
    codec::Result<Delivery, Failure> try_receive(Duration timeout) const;
    /// As try_receive; throws std::system_error with the failure's text.
    Delivery receive(Duration timeout) const;

    codec::Result<void, Failure> wait_open(Duration timeout) const;
    /// Links with ReceiverOptions::credit 0: `more` deliveries may come.
    void add_credit(std::uint32_t more) const;
    /// Asks for what there is and stops; ends in on_drained.
    void drain() const;
    /// Detaches with closed=true.
    void close(std::optional<codec::ErrorCondition> error = {}) const;

    std::uint32_t credit() const;         ///< reactor's thread only
    bool is_open() const;                 ///< any thread; a moment's view
    const codec::Attach* remote() const;  ///< reactor's thread only, null before on_open
    const std::string& name() const;
    /// The source's address: once open, the peer's word, so a dynamic node's name. Any thread.
    std::string address() const;

    explicit operator bool() const noexcept { return state_ != nullptr; }

private:
    friend struct ConnectionState;
    friend struct ReceiverState;
    explicit Receiver(std::shared_ptr<struct ReceiverState> state) : state_(std::move(state)) {}
    std::shared_ptr<struct ReceiverState> state_;
};

}  // namespace aprotic::engine
