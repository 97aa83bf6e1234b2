#pragma once

#include "peer/channel.hpp"
#include "peer/frames.hpp"

#include <aprotic/codec/dump.hpp>
#include <aprotic/codec/frame.hpp>

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace aprotic::peer {

class Peer;

namespace detail {

template <class T>
inline constexpr bool is_sasl = std::is_constructible_v<codec::SaslFrame, T>;

template <class T>
std::string text_of(const T& performative) {
    if constexpr (is_sasl<T>) {
        return codec::to_string(codec::SaslFrame(performative));
    } else {
        return codec::to_string(codec::Performative(performative));
    }
}

}  // namespace detail

/// A frame that came and is of the kind the script wanted. Look at it, demand more of it, answer it.
template <class T>
class Expected {
public:
    Expected(Peer& peer, T performative, std::uint16_t channel, codec::Bytes payload)
        : peer_(&peer), performative_(std::move(performative)), channel_(channel), payload_(std::move(payload)) {}

    const T& operator*() const { return performative_; }
    const T* operator->() const { return &performative_; }
    std::uint16_t channel() const { return channel_; }
    const codec::Bytes& payload() const { return payload_; }

    /// Demands a field's value: `.with(&codec::Attach::handle, 0)`.
    template <class Member, class V>
    Expected& with(Member T::*field, const V& value);
    /// Demands whatever `predicate(const T&)` says; `what` names it.
    template <class Predicate>
    Expected& with(Predicate predicate, std::string_view what);
    Expected& on_channel(std::uint16_t channel);
    Expected& with_payload(std::string_view octets);

    /// Sends what answers this frame in the ordinary course: open to open, accepted to transfer, … changed by
    /// `change(reply)`.
    template <class Change>
    Expected& respond(Change change);
    Expected& respond() {
        return respond([](auto&) {});
    }

private:
    Peer* peer_;
    T performative_;
    std::uint16_t channel_;
    codec::Bytes payload_;
};

/// The other end of a connection, in the hands of a test: says what a script tells it to, legal or not, and checks what
/// it hears, frame by frame. Shares the codec with the product and nothing else, so that it judges the engine from
/// outside.
///
/// A script is plain code; each call does its thing at once. What does not match throws ScriptError.
class Peer {
public:
    explicit Peer(Channel& channel) : channel_(channel) {}

    /// How long expect_… waits for bytes. Virtual time in memory; 0 looks only at what is there.
    Duration patience = Duration::zero();
    /// Largest frame we take, as our open says; [2.4.1-c] 512 until then.
    std::uint32_t frame_size_max = codec::protocol::min_max_frame_size;
    /// Leaves out flow frames, or empty ones, that come where another frame is expected.
    bool skip_flows = false;
    bool skip_empty_frames = false;

    // --- saying ----------------------------------------------------------------------------------------------------

    void send_header(codec::ProtocolHeader header = codec::ProtocolId::amqp);
    template <class T, class Self>
    void send(const FrameOf<T, Self>& frame) {
        if (frame.channel && !detail::is_sasl<T>) channel_number_ = *frame.channel;
        if constexpr (std::is_same_v<T, codec::Open>) frame_size_max = frame.performative.max_frame_size;
        write(frame.encode(detail::is_sasl<T> ? std::uint16_t{0} : channel_number_).span());
    }
    /// Several frames in one write.
    template <class... Frames>
    void send_together(const Frames&... frames) {
        hold_ = true;
        (send(frames), ...);
        hold_ = false;
        write({});
    }
    void send_empty_frame(std::uint16_t channel = 0);
    /// Any octets at all.
    void send_raw(std::span<const std::byte> octets) { write(octets); }
    void send_raw(std::string_view octets) { write(codec::as_bytes(octets)); }
    void end_of_stream() { channel_.end_of_stream(); }

    // --- hearing ---------------------------------------------------------------------------------------------------

    class ExpectedHeader {
    public:
        ExpectedHeader(Peer& peer, codec::ProtocolHeader header) : peer_(&peer), header_(header) {}
        void respond() { peer_->send_header(header_); }

    private:
        Peer* peer_;
        codec::ProtocolHeader header_;
    };
    ExpectedHeader expect_header(codec::ProtocolHeader header = codec::ProtocolId::amqp);

    /// The next frame, which must be a T.
    template <class T>
    Expected<T> expect() {
        const std::uint64_t code = codec::Table<T>::code;
        const std::vector<std::byte> octets = next_frame(code, codec::Table<T>::name);
        const codec::FrameView view = parse(octets);
        auto performative = view.as<T>();
        if (!performative) fail_undecodable(view, performative.error());
        if constexpr (!detail::is_sasl<T>) channel_number_ = own_channel(view.channel);
        return {*this, std::move(*performative), view.channel, codec::Bytes::copy_of(view.payload)};
    }
    /// The next frame, which must be exactly this one (its channel only if the script said one).
    template <class T, class Self>
    Expected<T> expect(const FrameOf<T, Self>& frame) {
        auto got = expect<T>();
        if (!(*got == frame.performative)) fail_mismatch(detail::text_of(frame.performative), detail::text_of(*got));
        if (frame.channel) got.on_channel(*frame.channel);
        if (!frame.octets.empty()) got.with_payload(frame.octets.to_string());
        return got;
    }

    Expected<codec::Open> expect_open() { return expect<codec::Open>(); }
    Expected<codec::Begin> expect_begin() { return expect<codec::Begin>(); }
    Expected<codec::Attach> expect_attach() { return expect<codec::Attach>(); }
    Expected<codec::Flow> expect_flow() { return expect<codec::Flow>(); }
    Expected<codec::Transfer> expect_transfer() { return expect<codec::Transfer>(); }
    Expected<codec::Disposition> expect_disposition() { return expect<codec::Disposition>(); }
    Expected<codec::Detach> expect_detach() { return expect<codec::Detach>(); }
    Expected<codec::End> expect_end() { return expect<codec::End>(); }
    Expected<codec::Close> expect_close() { return expect<codec::Close>(); }
    /// A close, end or detach that carries this condition.
    Expected<codec::Close> expect_close(std::string_view condition) {
        return with_condition(expect_close(), condition);
    }
    Expected<codec::End> expect_end(std::string_view condition) { return with_condition(expect_end(), condition); }
    Expected<codec::Detach> expect_detach(std::string_view condition) {
        return with_condition(expect_detach(), condition);
    }
    Expected<codec::SaslMechanisms> expect_sasl_mechanisms() { return expect<codec::SaslMechanisms>(); }
    Expected<codec::SaslInit> expect_sasl_init() { return expect<codec::SaslInit>(); }
    Expected<codec::SaslChallenge> expect_sasl_challenge() { return expect<codec::SaslChallenge>(); }
    Expected<codec::SaslResponse> expect_sasl_response() { return expect<codec::SaslResponse>(); }
    Expected<codec::SaslOutcome> expect_sasl_outcome() { return expect<codec::SaslOutcome>(); }
    void expect_empty_frame();
    /// Nothing at all comes within `how_long`, and the stream stays open.
    void expect_nothing(Duration how_long = Duration::zero());
    void expect_end_of_stream();

    // --- the usual beginnings --------------------------------------------------------------------------------------

    /// Header and open both ways; the other side speaks first (`answer`) or we do (`call`).
    void answer_open(const OpenFrame& ours = open());
    void call_open(const OpenFrame& ours = open());

    /// What was said and heard so far, one line per frame.
    const std::vector<std::string>& transcript() const { return transcript_; }
    /// Fails the script, showing the transcript.
    [[noreturn]] void fail(const std::string& what) const;
    [[noreturn]] void fail_mismatch(const std::string& expected, const std::string& got) const;

    // --- for Expected::respond -------------------------------------------------------------------------------------

    OpenFrame reply_to(const codec::Open&, std::uint16_t channel);
    BeginFrame reply_to(const codec::Begin&, std::uint16_t channel);
    AttachFrame reply_to(const codec::Attach& attach, std::uint16_t channel);
    DispositionFrame reply_to(const codec::Transfer& transfer, std::uint16_t channel);
    DetachFrame reply_to(const codec::Detach& detach, std::uint16_t channel);
    EndFrame reply_to(const codec::End&, std::uint16_t channel);
    CloseFrame reply_to(const codec::Close&, std::uint16_t channel);
    void map_channel(std::uint16_t theirs, std::uint16_t ours) { channels_[theirs] = ours; }

private:
    template <class T>
    Expected<T> with_condition(Expected<T> got, std::string_view condition) {
        if (!got->error || got->error->condition != condition) {
            T wanted = *got;
            if (!wanted.error) wanted.error.emplace();
            wanted.error->condition = codec::Symbol(condition);
            fail_mismatch(detail::text_of(wanted), detail::text_of(*got));
        }
        return got;
    }
    void write(std::span<const std::byte> octets);
    bool more(Duration patience);
    std::vector<std::byte> next_octets(std::string_view what);
    std::vector<std::byte> next_frame(std::uint64_t code, std::string_view name);
    codec::FrameView parse(const std::vector<std::byte>& frame) const;
    std::uint16_t own_channel(std::uint16_t theirs) const;
    [[noreturn]] void fail_undecodable(const codec::FrameView& frame, std::error_code why) const;

    Channel& channel_;
    std::vector<std::byte> heard_;   // not yet looked at
    std::vector<std::byte> unsent_;  // of send_together
    std::vector<std::string> transcript_;
    std::map<std::uint16_t, std::uint16_t> channels_;  // theirs → ours
    std::uint16_t channel_number_ = 0;
    bool hold_ = false;
    bool sasl_ = false;  // between the SASL header and the next one
};

template <class T>
template <class Member, class V>
Expected<T>& Expected<T>::with(Member T::*field, const V& value) {
    T wanted = performative_;
    wanted.*field = value;
    if (!(wanted == performative_)) peer_->fail_mismatch(detail::text_of(wanted), detail::text_of(performative_));
    return *this;
}

template <class T>
template <class Predicate>
Expected<T>& Expected<T>::with(Predicate predicate, std::string_view what) {
    if (!predicate(performative_)) {
        peer_->fail("expected " + std::string(what) + "\n  got      " + detail::text_of(performative_));
    }
    return *this;
}

template <class T>
Expected<T>& Expected<T>::on_channel(std::uint16_t channel) {
    if (channel != channel_) {
        peer_->fail("expected channel " + std::to_string(channel) + "\n  got      " + std::to_string(channel_) + ": " +
                    detail::text_of(performative_));
    }
    return *this;
}

template <class T>
Expected<T>& Expected<T>::with_payload(std::string_view octets) {
    if (payload_.text() != octets) {
        peer_->fail("expected payload\n" + codec::dump(codec::DumpAs::message, codec::as_bytes(octets)).text +
                    "  got\n" + codec::dump(codec::DumpAs::message, payload_.span()).text);
    }
    return *this;
}

template <class T>
template <class Change>
Expected<T>& Expected<T>::respond(Change change) {
    auto reply = peer_->reply_to(performative_, channel_);
    change(reply);
    if constexpr (std::is_same_v<T, codec::Begin>) peer_->map_channel(channel_, reply.channel.value_or(channel_));
    peer_->send(reply);
    return *this;
}

}  // namespace aprotic::peer
