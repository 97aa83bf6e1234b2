#pragma once

#include <memory>

#include <aprotic/engine/reactor.hpp>

namespace asio {
class io_context;
}

namespace aprotic::engine {

/// The reactor of production, on Asio. This header does not include Asio.
class AsioReactor final : public Reactor {
public:
    /// Owns an io_context and runs it on a thread of its own until destroyed. Destroying it on that thread is our
    /// caller's fault.
    AsioReactor();
    /// Runs on the caller's io_context, which one thread at a time may run and which must outlive the reactor. Destroy
    /// it on that thread, or while no thread runs the context.
    explicit AsioReactor(asio::io_context& context);
    ~AsioReactor() override;

    /// Ends the loop for good: joins the own thread, drops what was posted, timers and attempts to connect. A later
    /// post() drops its task. The destructor does it too; it is here for those who must keep the object longer than the
    /// loop. Not on the reactor's own thread; a second call does nothing.
    void stop();

    Instant now() const override;
    WallTime wall_time() const override;
    void post(Function<void()> task) override;
    bool on_thread() const override;
    TimerId start_timer(Instant when, Function<void()> task) override;
    void cancel_timer(TimerId timer) override;
    ConnectId connect(const Address& to, Instant deadline, Connected done) override;
    void cancel_connect(ConnectId attempt) override;
    codec::Result<std::unique_ptr<Acceptor>, Failure> listen(const Address& at, Accepted accepted) override;
    std::uint64_t random() override;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace aprotic::engine
