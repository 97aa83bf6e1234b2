#pragma once

#include <array>
#include <memory>
#include <optional>
#include <span>
#include <system_error>

#include <aprotic/engine/engine.hpp>
#include <aprotic/engine/reactor.hpp>

namespace aprotic::engine::io {

/// The one loop: moves bytes between a Stream and an Engine, gives the engine's events to its client, keeps its timer,
/// and closes the stream when the engine is done. The client's handlers run from here after the engine has returned,
/// never from inside one another: a command given in a callback only makes the loop go round again. Commands given
/// outside of it, however many, lead to one turn and one write. Reactor's thread only.
///
/// A turn is time-out, events, write, until nothing changes any more. Events come before the write so that what
/// handlers answer to everything one read has brought leaves together, and so that a sender asked to drain can still
/// send before its credit goes back [2.6.7]. Where that is much, it leaves in several writes, also from inside of a
/// handler that sends one message after the other.
///
/// A read that took all the room it had left something to be read, and if outcomes are all that waits to be written the
/// turn reads on first, within bounds: a large message is a read or two, and to tell its outcome alone is a write here
/// and a wake-up and a read at the peer for each. As soon as nothing more is there, they leave.
class Pump : public std::enable_shared_from_this<Pump> {
public:
    class Client {
    public:
        virtual ~Client() = default;
        /// Must not throw.
        virtual void on_event(Event& event) = 0;
        /// What as many DeliveryReceived would say.
        virtual void on_received(LinkId link, std::span<const DeliveryId> deliveries) {
            for (const DeliveryId delivery : deliveries) {
                Event event(DeliveryReceived{link, delivery});
                on_event(event);
            }
        }
        /// All events have been given: last chance for commands before the write.
        virtual void on_events_done() = 0;
        /// The stream is closed and nothing more will come. The last call.
        virtual void on_finished() = 0;
    };

    /// `reactor` must outlive the pump.
    Pump(Reactor& reactor, Engine engine, std::unique_ptr<Stream> stream, std::weak_ptr<Client> client);
    ~Pump();
    Pump(const Pump&) = delete;
    Pump& operator=(const Pump&) = delete;

    Engine& engine() noexcept { return engine_; }
    const Engine& engine() const noexcept { return engine_; }
    /// A command was given, with so many bytes to be sent: goes round soon.
    void wake(std::size_t bytes = 0);
    /// Cuts the stream now; the engine ends with `why`. Its last events come with the next turn.
    void cut(std::error_code why);

private:
    struct Turn;

    void turn();
    bool tell(Client& client, Turn& turn);
    void worked(std::size_t bytes);
    void write();
    std::span<codec::ConstBuffer> gather(Instant now);
    void read();
    bool read_on(Turn& turn);
    void commit_read(Stream::Read read, std::size_t room, Instant now);
    void arm();
    void finish(Client& client);

    Reactor& reactor_;
    Engine engine_;
    std::weak_ptr<Client> client_;
    // What is being written: few pieces on a connection on which little is said, and most have no need of more.
    std::array<codec::ConstBuffer, 4> few_;
    std::unique_ptr<std::array<codec::ConstBuffer, 64>> many_;
    Reactor::TimerId timer_ = 0;
    std::optional<Instant> armed_;
    std::size_t work_ = 0;  // since the last write, in bytes
    bool scheduled_ = false;
    bool dirty_ = false;
    bool reading_ = false;
    bool writing_ = false;
    bool read_closed_ = false;
    bool write_closed_ = false;
    bool finished_ = false;
    bool in_turn_ : 1 = false;
    bool filled_ : 1 = false;         // the last read took all the room it had
    std::unique_ptr<Stream> stream_;  // last: gone before the memory it reads into and writes from
};

}  // namespace aprotic::engine::io
