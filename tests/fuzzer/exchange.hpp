#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <aprotic/codec/frame.hpp>

#include "fuzzer/script.hpp"
#include "peer/channel.hpp"
#include "peer/frames.hpp"

namespace aprotic::fuzzer {

using peer::Duration;

/// A new connection with the peer, or null and the reason. `patience` is for the connecting alone.
using Connector = std::function<std::unique_ptr<peer::Channel>(Duration patience, std::string& why)>;

/// What came from the peer.
struct Heard {
    enum class Kind { header, frame, garbage, end, nothing };
    Kind kind = Kind::nothing;
    std::vector<std::byte> octets{};
    codec::FrameView view{};  ///< of a frame; views `octets`
    std::string problem{};    ///< of garbage: why it is no frame

    bool is(std::uint64_t code) const { return kind == Kind::frame && view.is(code); }
};

/// What went over a connection: the first entries and the last ones. Says it in words only when it is asked.
class Log {
public:
    /// `direction` is "->" or "<-".
    void add(std::string_view direction, std::string_view octets);
    void add_note(std::string_view direction, std::string note);
    /// A line each.
    std::vector<std::string> lines() const;
    /// The last line; empty when there is none.
    std::string last() const;

private:
    struct Entry {
        std::string_view direction;
        std::string octets;
        std::string note;
        std::string text() const;
    };
    void add(Entry entry);

    std::vector<Entry> first_;
    std::deque<Entry> last_;
    std::size_t count_ = 0;
};

/// One connection, from the fuzzer's end: says octets, hears frames, remembers both.
class Exchange {
public:
    explicit Exchange(std::unique_ptr<peer::Channel> channel) : channel_(std::move(channel)) {}

    void say(std::string_view octets, const std::vector<std::size_t>& splits = {});
    template <class T, class Self>
    void say(const peer::FrameOf<T, Self>& frame) {
        say(frame.encode(0).text());
    }
    /// The next header or frame within `patience`. After garbage nothing more is understood.
    Heard hear(Duration patience);
    /// Hears until the performative of this name ("header" for a protocol header), the end, or nothing for `patience`.
    /// What came last.
    Heard hear_until(std::string_view name, Duration patience);
    /// Says that nothing more comes from us.
    void half_close() { channel_->end_of_stream(); }

    /// What was said and heard; the first and the last of much.
    const Log& log() const { return log_; }
    /// What no peer may send, whatever it was told: octets that are no frames, frames behind a close. A line each.
    const std::vector<std::string>& oddities() const { return oddities_; }
    bool open_heard() const { return open_heard_; }
    bool close_heard() const { return close_heard_; }
    bool ended() const { return ended_; }
    /// The id of the transaction that was declared last; empty before.
    const std::string& transaction() const { return transaction_; }

private:
    void take(Heard& heard);
    void odd(const std::string& what);

    std::unique_ptr<peer::Channel> channel_;
    std::vector<std::byte> heard_;
    Log log_;
    std::vector<std::string> oddities_;
    std::string transaction_;
    bool open_heard_ = false;
    bool close_heard_ = false;
    bool ended_ = false;
    bool lost_ = false;  // garbage came: where frames begin is not known any more
};

/// How long the fuzzer waits.
struct Timing {
    Duration answer = std::chrono::seconds(3);        ///< for what has to come
    Duration step = std::chrono::milliseconds(60);    ///< for what a step of a script awaits: it need not come
    Duration ending = std::chrono::milliseconds(50);  ///< for the end of a stream that we have half-closed
};

/// What became of a script.
struct Played {
    Log log;
    std::vector<std::string> oddities;
    /// The peer had opened, all frames of ours were whole, and it has neither answered the close nor ended the stream
    /// in time.
    bool hangs = false;
};

/// Says a script on a new connection and takes leave in order.
Played play(std::unique_ptr<peer::Channel> channel, const Script& script, const Timing& timing);

}  // namespace aprotic::fuzzer
