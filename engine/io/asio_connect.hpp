#pragma once

#include <memory>
#include <string>
#include <vector>

#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/local/stream_protocol.hpp>
#include <asio/steady_timer.hpp>

#include <aprotic/engine/reactor.hpp>

namespace aprotic::engine::io {

/// One Reactor::connect: resolve, then the addresses one after the other. Each gets its share of the time that is left,
/// so that one that does not answer at all leaves some for the others.
class AsioConnect : public std::enable_shared_from_this<AsioConnect> {
public:
    AsioConnect(asio::io_context& context, Address to, Instant deadline, Reactor::Connected done);

    /// `done` is called once, never from in here, unless cancel() comes first.
    void start();
    void cancel();

private:
    void resolve();
    void connect_next();
    void connect_unix();
    /// Runs `late` at `when` unless the step ends before.
    void guard(Instant when, void (AsioConnect::*late)());
    void resolve_late();
    void connect_late();
    void note(const std::string& address, const std::error_code& error);
    void succeed(std::unique_ptr<Stream> stream);
    void fail(Errc code, std::string text);
    std::string waited() const;

    Address to_;
    Instant started_;
    Instant deadline_;
    Reactor::Connected done_;
    asio::ip::tcp::resolver resolver_;
    asio::ip::tcp::socket tcp_;
    asio::local::stream_protocol::socket unix_;
    asio::steady_timer timer_;
    std::vector<asio::ip::tcp::endpoint> endpoints_;
    std::size_t next_ = 0;
    std::uint64_t step_ = 0;  ///< completions of an older step are stale
    std::string tried_;       ///< what became of each address, for the text
};

}  // namespace aprotic::engine::io
