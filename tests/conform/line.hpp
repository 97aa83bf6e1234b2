#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <aprotic/codec/dump.hpp>
#include <aprotic/codec/frame.hpp>

#include "conform/reaction.hpp"
#include "conform/verdict.hpp"
#include "peer/channel.hpp"
#include "peer/frames.hpp"

namespace aprotic::conform {

using peer::Duration;

/// How long the suite waits.
struct Timing {
    Duration answer = std::chrono::seconds(3);         ///< for what has to come
    Duration quiet = std::chrono::milliseconds(60);    ///< before it asks whether the peer has simply gone on
    Duration ending = std::chrono::milliseconds(500);  ///< for the end of the stream after a close

    Timing scaled(double factor) const;
};

/// A performative that the peer sent.
template <class T>
struct Got {
    T performative;
    std::uint16_t channel = 0;
    std::string payload;

    const T& operator*() const { return performative; }
    const T* operator->() const { return &performative; }
};

/// One connection with the peer, from the suite's end. It is told what to say and says what it hears; what a step does
/// not allow ends the case by a Finding.
class Line {
public:
    Line(std::unique_ptr<peer::Channel> channel, Timing timing, std::size_t number, std::vector<LogEntry>& log,
         Outcome& outcome);

    // --- saying ----------------------------------------------------------------------------------------------------

    void header(codec::ProtocolHeader header = codec::ProtocolId::amqp) { raw(header.serialise()); }
    /// Frames, headers and raw octets, all in one write.
    template <class... Frames>
    void send(const Frames&... frames) {
        std::vector<std::byte> octets;
        (append(octets, frames), ...);
        raw(octets);
    }
    void raw(std::span<const std::byte> octets);
    void raw(std::string_view octets) { raw(codec::as_bytes(octets)); }
    /// An open that no builder makes, as octets of a frame: the line takes what the peer may send from then on for as
    /// large as it likes.
    void raw_open(std::string_view octets);
    /// A session of ours is on this channel, begun by octets that no builder makes.
    void claim(std::uint16_t channel) { channels_.insert(channel); }
    /// An empty frame, where the peer's idle-time-out asks for a frame of ours soon. [2.4.5]
    void keep_alive();
    /// Says that nothing more comes from us.
    void half_close() { channel_->end_of_stream(); }

    // --- hearing ---------------------------------------------------------------------------------------------------

    /// Whatever comes next within `patience`: a header, a frame (empty ones too), the end, nothing.
    Heard hear(Duration patience);
    Heard hear() { return hear(timing.answer); }
    /// The next protocol header.
    codec::ProtocolHeader expect_header(std::string_view why = "a protocol header");
    /// The next frame but empty ones and, unless asked for, flows, and dispositions where the end of something is due:
    /// a peer may settle what it still has. Anything else is a failure; `why` says what was due.
    template <class T>
    Got<T> expect(std::string_view why = {}) {
        const std::string due = "the peer sends " + std::string(codec::Table<T>::name) +
                                (why.empty() ? std::string() : ": " + std::string(why));
        const Heard heard = next_for(codec::Table<T>::code, due);
        auto performative = heard.as<T>();
        if (!performative) fail(due, heard);
        return {std::move(*performative), heard.view.channel, std::string(codec::as_text(heard.view.payload))};
    }
    /// Nothing but flows and empty frames comes within `how_long`.
    void expect_nothing(Duration how_long, std::string_view why);
    /// The stream ends; frames before that are passed over.
    void expect_end(std::string_view why);
    /// Both sides have closed: nothing more is written, and the stream ends. That it does is shown and not demanded, so
    /// a peer that leaves this to its partner is not strict. [2.4.3, 2.4.6]
    void expect_finished();

    /// Waits for one of the reactions and notes which it was. Frames that are none of them are passed over unless they
    /// end something. When nothing comes the peer is asked for a session more: one that answers has ignored what was
    /// sent, which `ignores()` allows.
    Heard accept_one_of(const Reactions& reactions);

    /// Waits this long for the end of the stream by a peer that gets nothing more, and tells how long it took.
    void wait_for_end(double seconds);
    /// The stream has ended, and not in order.
    bool was_reset() const { return channel_->was_reset(); }

    /// Ends the case: the peer did not do what `expected` says.
    [[noreturn]] void fail(const std::string& expected, const Heard& heard);
    [[noreturn]] void fail(const std::string& expected, const std::string& actual);
    /// Fails the case unless `holds`.
    void require(bool holds, const std::string& expected, const std::string& actual);

    // --- ordinary steps; where one fails the case is inconclusive --------------------------------------------------

    /// SASL with this mechanism ("ANONYMOUS" or "PLAIN") and its initial response.
    void authenticate(std::string_view mechanism, std::string_view response);
    /// Header and open both ways.
    codec::Open open(const peer::OpenFrame& ours);
    /// A session on our channel `channel`.
    codec::Begin begin(std::uint16_t channel = 0, peer::BeginFrame ours = peer::begin());
    /// A link on which we send, with credit for at least one delivery.
    Got<codec::Attach> attach_sender(const peer::AttachFrame& ours);
    /// A link on which we receive; no credit is given.
    Got<codec::Attach> attach_receiver(const peer::AttachFrame& ours);
    /// Runs what is ordinary in the case at hand: a failure in it is none of the rule in question.
    void ordinary(const std::function<void()>& steps);

    /// Closes in order if the line is open, and waits shortly for the end. Tells how it went.
    std::string finish();
    static constexpr std::string_view left_without_close = "the end of the stream without a close";

    Timing timing;
    bool may_probe = true;  ///< off where a frame of ours could not be taken for one
    bool may_begin = true;  ///< off where the other side is a client: it is asked by a flow with echo
    peer::FlowFrame asking = peer::flow().echo();  ///< that flow, where the session's state is not the usual one
    std::optional<codec::Open> their_open;
    std::uint32_t credit = 0;            ///< of the sender that attach_sender made
    std::uint32_t next_delivery_id = 0;  ///< for cases that count
    /// Frames above this are a fault of the peer's: 512 until we have said more. [2.4.1-c]
    std::uint32_t frame_size_max = codec::protocol::min_max_frame_size;

private:
    static void append(std::vector<std::byte>& octets, std::span<const std::byte> more) {
        octets.insert(octets.end(), more.begin(), more.end());
    }
    static void append(std::vector<std::byte>& octets, const codec::ProtocolHeader& header) {
        append(octets, header.serialise());
    }
    static void append(std::vector<std::byte>& octets, const std::string& raw) { append(octets, codec::as_bytes(raw)); }
    template <class T, class Self>
    void append(std::vector<std::byte>& octets, const peer::FrameOf<T, Self>& frame) {
        if constexpr (std::is_same_v<T, codec::Open>) {
            frame_size_max = std::max(frame.performative.max_frame_size, codec::protocol::min_max_frame_size);
            open_sent_ = true;
        }
        if constexpr (std::is_same_v<T, codec::Close>) close_sent_ = true;
        if constexpr (std::is_same_v<T, codec::Begin>) channels_.insert(frame.channel.value_or(0));
        append(octets, frame.encode(0).span());
    }
    Heard next_for(std::uint64_t wanted, const std::string& due);
    bool take(Heard& heard);
    /// Asks for a sign that the peer has passed over what was sent.
    void probe();

    std::unique_ptr<peer::Channel> channel_;
    std::size_t number_;
    std::vector<LogEntry>& log_;
    Outcome& outcome_;
    std::vector<std::byte> heard_;
    std::vector<std::byte> last_sent_;
    std::set<std::uint16_t> channels_;
    std::optional<std::uint16_t> probed_;
    double said_at_ = 0;  ///< when our last octets went
    bool open_sent_ = false;
    bool close_sent_ = false;
    bool close_heard_ = false;
    unsigned ordinary_ = 0;
};

}  // namespace aprotic::conform
