#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <system_error>
#include <vector>

#include <aprotic/codec/bytes.hpp>
#include <aprotic/codec/result.hpp>
#include <aprotic/engine/failure.hpp>
#include <aprotic/engine/function.hpp>
#include <aprotic/engine/time.hpp>

namespace aprotic::engine {

/// Where a stream goes to or waits.
struct Address {
    enum class Kind { tcp, unix_socket };
    Kind kind = Kind::tcp;
    std::string host{};      ///< name or literal address; for unix_socket the path
    std::uint16_t port = 0;  ///< tcp; listening on 0 takes a free one

    /// `host:port`, `[v6]:port`, `:port` (all interfaces), `unix:PATH`. The failure's text says what was expected.
    static codec::Result<Address, std::string> parse(std::string_view text, std::uint16_t default_port = 5672);
    std::string to_string() const;
};

/// A byte connection given by a reactor. Used on the reactor's thread only. At most one read and one write at a time.
/// Completions are called from the reactor, never from inside the call that started them. After close() no completion
/// is called any more.
class Stream {
public:
    using Completion = Function<void(std::error_code, std::size_t)>;

    virtual ~Stream() = default;  ///< closes

    /// Reads at least one byte into `into`, which must stay valid until `done`. End of stream: no error and 0 bytes.
    virtual void read(std::span<std::byte> into, Completion done) = 0;
    /// What a read has given.
    struct Read {
        std::error_code error{};
        std::size_t size = 0;  ///< 0 without an error: the end of the stream
    };
    /// Reads what is there now, and never waits. nullopt: nothing is, or this stream cannot tell. Not while a read is
    /// under way.
    virtual std::optional<Read> try_read(std::span<std::byte> into);
    /// Writes as much of `from` as goes now, at least one byte. The memory must stay valid until `done`, and so must
    /// the list.
    virtual void write(std::span<const codec::ConstBuffer> from, Completion done) = 0;
    /// Writes what goes at once; returns how many bytes. 0: none does now, or this stream cannot tell, or there is an
    /// error, which write() tells. Not while a write is under way.
    virtual std::size_t try_write(std::span<const codec::ConstBuffer> from);
    /// Tells the peer that nothing more will be written; reading goes on.
    virtual void shutdown_write() = 0;
    virtual void close() = 0;

    /// For texts: "127.0.0.1:5672", "unix:/run/x", "in memory".
    virtual std::string peer_name() const = 0;
    /// True when what is written cannot be read by others on the way: loopback, Unix socket, memory. (TLS: the engine's
    /// own.)
    virtual bool is_private() const = 0;
};

/// Something that accepts streams until destroyed. Destroy on the reactor's thread.
class Acceptor {
public:
    virtual ~Acceptor() = default;
    /// The address in use; a port asked for as 0 is filled in.
    virtual Address local_address() const = 0;
};

/// The world as seen by the event layer: time, a queue, timers, streams, chance. Two implementations: Asio, and virtual
/// time. post(), on_thread(), now(), wall_time() and random() may be called from any thread, everything else on the
/// reactor's thread only.
class Reactor {
public:
    using TimerId = std::uint64_t;    ///< 0 names nothing
    using ConnectId = std::uint64_t;  ///< 0 names nothing
    using Connected = Function<void(codec::Result<std::unique_ptr<Stream>, Failure>)>;
    using Accepted = Function<void(std::unique_ptr<Stream>)>;

    virtual ~Reactor() = default;

    virtual Instant now() const = 0;
    virtual WallTime wall_time() const = 0;
    /// Runs `task` on the reactor's thread, after whatever runs there now; in order of posting. Any thread. Dropped,
    /// and destroyed, if the reactor stops first.
    virtual void post(Function<void()> task) = 0;
    virtual bool on_thread() const = 0;

    virtual TimerId start_timer(Instant when, Function<void()> task) = 0;
    /// After this `task` is not called. Harmless for a timer that has fired.
    virtual void cancel_timer(TimerId timer) = 0;

    /// Resolves and tries every address of the host in turn until `deadline`. `done` is called exactly once unless
    /// cancelled; a Failure's text names host, port and what failed.
    virtual ConnectId connect(const Address& to, Instant deadline, Connected done) = 0;
    virtual void cancel_connect(ConnectId attempt) = 0;
    /// Listens at once; a Failure's text names the address.
    virtual codec::Result<std::unique_ptr<Acceptor>, Failure> listen(const Address& at, Accepted accepted) = 0;

    /// 64 random bits: unpredictable in production, from the seed in simulation.
    virtual std::uint64_t random() = 0;
};

}  // namespace aprotic::engine
