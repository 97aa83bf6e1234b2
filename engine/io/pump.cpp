#include <aprotic/engine/io/pump.hpp>

#include <algorithm>
#include <chrono>

namespace aprotic::engine::io {
namespace {

/// The peer begins with what is ready while we go on, as soon as that is worth a system call and waking it. Bytes, of
/// which an event, and a command, counts for some. With half of it both sides take more time for each message, with
/// twice as much one waits for the other: see docs/performance.md.
constexpr std::size_t worth_a_write = 48 * std::size_t{1024};
constexpr std::size_t step_bytes = 96;
/// Bytes that are written without a look at what else there is to do.
constexpr std::size_t at_once_max = 256 * std::size_t{1024};

/// Once a turn what is not only outcomes leaves sooner, after so many messages: with a few dozen requests under way
/// nobody has to wait until all of them are answered. And a turn that has told as many does not read on.
constexpr std::size_t few = 16;

// What a turn reads beside what it began with, before others have theirs and outcomes leave. Half as much would do for
// messages of 64 KiB, and four times as much gives no more.
constexpr std::size_t read_on_octets = 256 * 1024;
// Handlers that take their time keep no outcome back.
constexpr Duration read_on_time = std::chrono::milliseconds(1);

}  // namespace

/// What lives for one turn.
struct Pump::Turn {
    std::optional<Event> event;
    std::array<DeliveryId, few> received;
    std::size_t count = 0;                     // messages that have come, or are over
    bool written = false;                      // something left before the end of the turn
    std::size_t octets_left = read_on_octets;  // to read on
    Instant until;                             // when to read on no more
};

Pump::Pump(Reactor& reactor, Engine engine, std::unique_ptr<Stream> stream, std::weak_ptr<Client> client)
    : reactor_(reactor), engine_(std::move(engine)), client_(std::move(client)), stream_(std::move(stream)) {}

Pump::~Pump() {
    if (timer_ != 0) reactor_.cancel_timer(timer_);
}

void Pump::wake(std::size_t bytes) {
    if (in_turn_) {
        dirty_ = true;
        return worked(bytes);
    }
    if (finished_ || std::exchange(scheduled_, true)) return;
    reactor_.post([weak = weak_from_this()] {
        const auto self = weak.lock();
        if (!self) return;
        self->scheduled_ = false;
        self->turn();
    });
}

void Pump::cut(std::error_code why) {
    if (finished_) return;
    if (stream_) stream_->close();
    reading_ = writing_ = false;
    const Instant now = reactor_.now();
    if (!std::exchange(read_closed_, true)) engine_.close_read(why, now);
    if (!std::exchange(write_closed_, true)) engine_.close_write(why, now);
    wake();
}

void Pump::turn() {
    const auto self = shared_from_this();  // a handler may drop what owns us
    const auto client = client_.lock();
    if (!client || in_turn_ || finished_) return;
    in_turn_ = true;
    Turn turn;
    turn.until = reactor_.now() + read_on_time;
    do {
        dirty_ = false;
        const Instant now = reactor_.now();
        if (const auto due = engine_.poll_timeout(); due && *due <= now) engine_.handle_timeout(now);
        while (tell(*client, turn)) {
            if (turn.written || turn.count < few || engine_.output_can_wait()) continue;
            turn.written = true;
            write();
        }
        client->on_events_done();
        if (turn.count < few && read_on(turn)) {
            dirty_ = true;
        } else {
            write();
        }
    } while (dirty_);
    read();
    in_turn_ = false;
    if (engine_.wants_close() || (read_closed_ && write_closed_)) return finish(*client);
    arm();
}

/// The next event, or messages of a link that came one after the other. False: there are none.
bool Pump::tell(Client& client, Turn& turn) {
    LinkId link;
    if (const std::size_t count = engine_.poll_received(link, turn.received)) {
        client.on_received(link, std::span(turn.received).first(count));
        turn.count += count;
        worked((count - 1) * step_bytes);
        return true;
    }
    if (!engine_.poll_event(turn.event)) return false;
    if (const auto* const settled = std::get_if<DeliveriesSettled>(&*turn.event)) turn.count += settled->count;
    client.on_event(*turn.event);
    worked(0);
    return true;
}

void Pump::worked(std::size_t bytes) {
    work_ += step_bytes + bytes;
    if (work_ >= worth_a_write) write();
}

void Pump::write() {
    work_ = 0;
    if (writing_ || write_closed_) return;
    const Instant now = reactor_.now();
    auto pieces = gather(now);
    for (std::size_t left = at_once_max; !pieces.empty() && left > 0; pieces = gather(now)) {
        const std::size_t n = stream_->try_write(pieces);
        if (n == 0) break;
        engine_.commit_write(n, now);
        dirty_ = true;  // what was sent settled has its outcome with this, and nothing else may come for long
        left -= std::min(left, n);
    }
    if (pieces.empty()) return;
    writing_ = true;
    stream_->write(pieces, [this](std::error_code error, std::size_t n) {
        writing_ = false;
        const Instant then = reactor_.now();
        if (n > 0) engine_.commit_write(n, then);
        if (error) {
            write_closed_ = true;
            engine_.close_write(error, then);
        }
        turn();
    });
}

std::span<codec::ConstBuffer> Pump::gather(Instant now) {
    if (!many_) {
        const std::size_t count = engine_.prepare_write(few_, now);
        if (count < few_.size()) return std::span(few_).first(count);
        many_ = std::make_unique<std::array<codec::ConstBuffer, 64>>();
    }
    return std::span(*many_).first(engine_.prepare_write(*many_, now));
}

void Pump::read() {
    if (reading_ || read_closed_) return;
    const std::span<std::byte> into = engine_.prepare_read();
    if (into.empty()) return;
    reading_ = true;
    stream_->read(into, [this, room = into.size()](std::error_code error, std::size_t n) {
        reading_ = false;
        commit_read({error, n}, room, reactor_.now());
        turn();
    });
}

/// Whether there was something. False is no more than a guess that nothing is there.
bool Pump::read_on(Turn& turn) {
    if (!filled_ || reading_ || read_closed_ || turn.octets_left == 0 || !engine_.output_can_wait()) return false;
    const Instant now = reactor_.now();
    if (now >= turn.until) return false;
    const std::span<std::byte> into = engine_.prepare_read();
    if (into.empty()) return false;
    const auto read = stream_->try_read(into);
    filled_ = false;
    if (!read) return false;
    commit_read(*read, into.size(), now);
    turn.octets_left -= std::min(turn.octets_left, read->size);
    return true;
}

void Pump::commit_read(Stream::Read read, std::size_t room, Instant now) {
    filled_ = read.size == room;
    if (read.size > 0) engine_.commit_read(read.size, now);
    if (!read.error && read.size > 0) return;
    read_closed_ = true;
    engine_.close_read(read.error, now);
}

void Pump::arm() {
    const auto due = engine_.poll_timeout();
    // An earlier wake-up is left as it is: idle deadlines move with every frame, and setting the timer anew each time
    // costs more.
    if (due && armed_ && *armed_ <= *due) return;
    if (timer_ != 0) reactor_.cancel_timer(std::exchange(timer_, 0));
    armed_ = due;
    if (!due) return;
    timer_ = reactor_.start_timer(*due, [this] {
        timer_ = 0;
        armed_.reset();
        turn();
    });
}

void Pump::finish(Client& client) {
    finished_ = true;
    if (timer_ != 0) reactor_.cancel_timer(std::exchange(timer_, 0));
    stream_.reset();
    client.on_finished();
}

}  // namespace aprotic::engine::io
