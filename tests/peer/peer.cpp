#include "peer/peer.hpp"

#include <algorithm>

namespace aprotic::peer {
namespace {

std::string hex(std::span<const std::byte> octets) {
    static constexpr char digits[] = "0123456789abcdef";
    std::string text;
    for (const std::byte octet : octets.first(std::min<std::size_t>(octets.size(), 64))) {
        text += digits[std::to_integer<unsigned>(octet) >> 4U];
        text += digits[std::to_integer<unsigned>(octet) & 15U];
    }
    if (octets.size() > 64) text += "…";
    return text;
}

std::string text_of(const codec::ProtocolHeader& header) {
    return "AMQP " + std::to_string(header.id) + " " + std::to_string(header.major) + "." +
           std::to_string(header.minor) + "." + std::to_string(header.revision);
}

/// For the transcript: whatever these octets are.
std::string describe(std::span<const std::byte> octets) {
    const codec::FrameParser parser(UINT32_MAX);
    std::string text;
    while (!octets.empty()) {
        if (!text.empty()) text += " | ";
        if (octets.size() >= codec::ProtocolHeader::size && codec::as_text(octets.first(4)) == "AMQP") {
            const auto header = codec::ProtocolHeader::parse(octets.first(codec::ProtocolHeader::size));
            text += header ? text_of(*header) : hex(octets);
            octets = octets.subspan(codec::ProtocolHeader::size);
            continue;
        }
        const auto step = parser.next(octets);
        if (step.status != codec::FrameParser::Status::frame) return text + "octets " + hex(octets);
        text += codec::to_string(step.frame);
        octets = octets.subspan(step.size);
    }
    return text;
}

}  // namespace

void Peer::send_header(codec::ProtocolHeader header) { write(header.serialise()); }

void Peer::send_empty_frame(std::uint16_t channel) { write(codec::empty_frame(channel)); }

Peer::ExpectedHeader Peer::expect_header(codec::ProtocolHeader header) {
    while (heard_.size() < codec::ProtocolHeader::size) {
        if (!more(patience)) {
            fail("expected header " + text_of(header) + "\n  got      " + (heard_.empty() ? "nothing" : hex(heard_)) +
                 (channel_.at_end() ? ", then the end of the stream" : ""));
        }
    }
    const std::span<const std::byte> octets(heard_.data(), codec::ProtocolHeader::size);
    const auto got = codec::ProtocolHeader::parse(octets);
    if (!got || !(*got == header)) fail_mismatch(text_of(header), got ? text_of(*got) : hex(octets));
    transcript_.push_back("<- " + text_of(*got));
    sasl_ = header.is(codec::ProtocolId::sasl);
    heard_.erase(heard_.begin(), heard_.begin() + codec::ProtocolHeader::size);
    return {*this, header};
}

void Peer::expect_empty_frame() {
    const bool skip = std::exchange(skip_empty_frames, false);
    const auto octets = next_octets("an empty frame");
    skip_empty_frames = skip;
    const codec::FrameView view = parse(octets);
    if (!view.empty()) fail_mismatch("an empty frame", codec::to_string(view));
}

void Peer::expect_nothing(Duration how_long) {
    if (more(how_long)) fail("expected nothing\n  got      " + describe(heard_));
    if (!heard_.empty()) fail("expected nothing\n  got      " + describe(heard_));
    if (channel_.at_end()) fail("expected nothing\n  got      the end of the stream");
}

void Peer::expect_end_of_stream() {
    while (more(patience)) {
    }
    if (!heard_.empty()) fail("expected the end of the stream\n  got      " + describe(heard_));
    if (!channel_.at_end()) fail("expected the end of the stream\n  got      nothing");
    transcript_.emplace_back("<- end of stream");
}

void Peer::answer_open(const OpenFrame& ours) {
    expect_header().respond();
    expect_open();
    send(ours);
}

void Peer::call_open(const OpenFrame& ours) {
    send_header();
    send(ours);
    expect_header();
    expect_open();
}

void Peer::fail(const std::string& what) const {
    std::string text = what + "\n  after\n";
    // The end of a long script tells most.
    const std::size_t first = transcript_.size() > 40 ? transcript_.size() - 40 : 0;
    for (std::size_t i = first; i < transcript_.size(); ++i) text += "    " + transcript_[i] + "\n";
    throw ScriptError(text);
}

void Peer::fail_mismatch(const std::string& expected, const std::string& got) const {
    fail("expected " + expected + "\n  got      " + got);
}

void Peer::fail_undecodable(const codec::FrameView& frame, std::error_code why) const {
    fail("a frame that does not decode (" + why.message() + ")\n" +
         codec::dump(codec::DumpAs::frames, frame.frame).text);
}

OpenFrame Peer::reply_to(const codec::Open&, std::uint16_t) { return open(); }

BeginFrame Peer::reply_to(const codec::Begin&, std::uint16_t channel) {
    auto reply = begin();
    reply.remote_channel(channel).on_channel(channel);
    return reply;
}

AttachFrame Peer::reply_to(const codec::Attach& theirs, std::uint16_t channel) {
    auto reply = attach(codec::opposite(theirs.role), theirs.handle, theirs.name);
    reply.on_channel(own_channel(channel));
    reply.performative.snd_settle_mode = theirs.snd_settle_mode;
    reply.performative.rcv_settle_mode = theirs.rcv_settle_mode;
    reply.performative.source = theirs.source;
    reply.performative.target = theirs.target;
    // A node that the peer was asked to create gets a name of the peer's. [2.7.3]
    if (reply.performative.source && reply.performative.source->dynamic)
        reply.performative.source->address = "dynamic-source";
    if (reply.performative.target) {
        if (auto* target = std::get_if<codec::Target>(&*reply.performative.target); target && target->dynamic) {
            target->address = "dynamic-target";
        }
    }
    return reply;
}

DispositionFrame Peer::reply_to(const codec::Transfer& theirs, std::uint16_t channel) {
    auto reply = disposition(codec::Role::receiver, theirs.delivery_id.value_or(0));
    reply.settled().accepted().on_channel(own_channel(channel));
    return reply;
}

DetachFrame Peer::reply_to(const codec::Detach& theirs, std::uint16_t channel) {
    auto reply = detach(theirs.handle);
    reply.closed(theirs.closed).on_channel(own_channel(channel));
    return reply;
}

EndFrame Peer::reply_to(const codec::End&, std::uint16_t channel) {
    auto reply = end();
    reply.on_channel(own_channel(channel));
    return reply;
}

CloseFrame Peer::reply_to(const codec::Close&, std::uint16_t) {
    auto reply = close();
    reply.on_channel(0);
    return reply;
}

void Peer::write(std::span<const std::byte> octets) {
    unsent_.insert(unsent_.end(), octets.begin(), octets.end());
    if (hold_ || unsent_.empty()) return;
    const auto out = std::exchange(unsent_, {});
    transcript_.push_back("-> " + describe(out));
    channel_.write(out);
}

bool Peer::more(Duration wait) {
    const auto octets = channel_.read(wait);
    heard_.insert(heard_.end(), octets.begin(), octets.end());
    return !octets.empty();
}

std::vector<std::byte> Peer::next_octets(std::string_view what) {
    for (;;) {
        const codec::FrameParser parser(frame_size_max);
        const auto step = parser.next(heard_);
        switch (step.status) {
            case codec::FrameParser::Status::error:
                fail("expected " + std::string(what) + "\n  got octets that are no frame (" + step.error.message() +
                     ")\n" + codec::dump(codec::DumpAs::frames, heard_).text);
            case codec::FrameParser::Status::need_more:
                if (!more(patience)) {
                    fail("expected " + std::string(what) + "\n  got      " +
                         (heard_.empty() ? "nothing" : "a part of a frame: " + hex(heard_)) +
                         (channel_.at_end() ? ", then the end of the stream" : ""));
                }
                continue;
            case codec::FrameParser::Status::frame: break;
        }
        // [2.3-g] a frame's type is that of the layer it stands in
        if ((step.frame.type == codec::FrameType::sasl) != sasl_) {
            fail_mismatch(sasl_ ? "a SASL frame" : "an AMQP frame", codec::to_string(step.frame));
        }
        transcript_.push_back("<- " + codec::to_string(step.frame));
        const bool skip = (step.frame.empty() && skip_empty_frames) ||
                          (step.frame.is(codec::descriptor::flow) && skip_flows && what != "flow");
        const auto end = heard_.begin() + static_cast<std::ptrdiff_t>(step.size);
        std::vector<std::byte> frame(heard_.begin(), end);
        heard_.erase(heard_.begin(), end);
        if (!skip) return frame;
    }
}

std::vector<std::byte> Peer::next_frame(std::uint64_t code, std::string_view name) {
    auto octets = next_octets(name);
    const codec::FrameView view = parse(octets);
    if (!view.is(code)) fail_mismatch(std::string(name), view.empty() ? "an empty frame" : codec::to_string(view));
    return octets;
}

codec::FrameView Peer::parse(const std::vector<std::byte>& frame) const {
    const auto step = codec::FrameParser(UINT32_MAX).next(frame);
    if (step.status != codec::FrameParser::Status::frame) fail("no frame: " + hex(frame));
    return step.frame;
}

std::uint16_t Peer::own_channel(std::uint16_t theirs) const {
    const auto found = channels_.find(theirs);
    return found == channels_.end() ? theirs : found->second;
}

}  // namespace aprotic::peer
