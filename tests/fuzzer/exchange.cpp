#include "fuzzer/exchange.hpp"

#include <algorithm>
#include <utility>

#include <aprotic/codec/dump.hpp>

namespace aprotic::fuzzer {
namespace {

using codec::FrameParser;

using Clock = std::chrono::steady_clock;

constexpr std::uint32_t frame_size_max = 16 * 1024 * 1024;

bool begins_header(std::span<const std::byte> octets) {
    return octets.size() >= 4 && codec::as_text(octets.first(4)) == "AMQP";
}

/// Whether all of `octets` are protocol headers and whole frames: what follows is read as a frame of its own.
class Framing {
public:
    void take(std::string_view octets) {
        left_ += octets;
        while (whole_ && !left_.empty()) {
            const auto bytes = codec::as_bytes(left_);
            std::size_t size = codec::ProtocolHeader::size;
            // Behind an AMQP frame a header is none, but the start of a frame of a gigabyte.
            if (amqp_ || !begins_header(bytes)) {
                // Only the frame header decides where the next frame begins.
                const auto step = FrameParser(UINT32_MAX).next(bytes);
                size = step.size;
                if (size == 0) whole_ = false;
                amqp_ = amqp_ || (left_.size() > 5 && left_[5] == 0);
            }
            if (size > left_.size() || size == 0) return;
            left_.erase(0, size);
        }
    }
    bool whole() const { return whole_ && left_.empty(); }

private:
    std::string left_;
    bool whole_ = true;
    bool amqp_ = false;  // a frame of the AMQP layer has been sent
};

}  // namespace

std::string Log::Entry::text() const { return std::string(direction) + " " + (note.empty() ? describe(octets) : note); }

void Log::add(std::string_view direction, std::string_view octets) { add({direction, std::string(octets), {}}); }

void Log::add_note(std::string_view direction, std::string note) { add({direction, {}, std::move(note)}); }

void Log::add(Entry entry) {
    constexpr std::size_t kept = 40;
    ++count_;
    if (first_.size() < kept) {
        first_.push_back(std::move(entry));
        return;
    }
    last_.push_back(std::move(entry));
    if (last_.size() > kept) last_.pop_front();
}

std::vector<std::string> Log::lines() const {
    std::vector<std::string> lines;
    for (const auto& entry : first_) lines.push_back(entry.text());
    const std::size_t left_out = count_ - first_.size() - last_.size();
    if (left_out != 0) lines.push_back("… " + std::to_string(left_out) + " more …");
    for (const auto& entry : last_) lines.push_back(entry.text());
    return lines;
}

std::string Log::last() const {
    if (!last_.empty()) return last_.back().text();
    return first_.empty() ? std::string() : first_.back().text();
}

void Exchange::say(std::string_view octets, const std::vector<std::size_t>& splits) {
    if (octets.empty()) return;
    log_.add("->", octets);
    std::size_t from = 0;
    for (const std::size_t split : splits) {
        if (split <= from || split >= octets.size()) continue;
        channel_->write(codec::as_bytes(octets.substr(from, split - from)));
        from = split;
    }
    channel_->write(codec::as_bytes(octets.substr(from)));
}

Heard Exchange::hear(Duration patience) {
    Heard heard;
    const auto deadline = Clock::now() + patience;
    while (!ended_) {
        if (!lost_ && heard_.size() >= codec::ProtocolHeader::size && begins_header(heard_)) {
            heard.kind = Heard::Kind::header;
            heard.octets.assign(heard_.begin(), heard_.begin() + codec::ProtocolHeader::size);
        } else if (!lost_) {
            const auto step = FrameParser(frame_size_max).next(heard_);
            if (step.status == FrameParser::Status::error) {
                heard.kind = Heard::Kind::garbage;
                heard.problem = step.error.message();
                heard.octets = std::exchange(heard_, {});
            } else if (step.status == FrameParser::Status::frame) {
                heard.kind = Heard::Kind::frame;
                heard.octets.assign(heard_.begin(), heard_.begin() + static_cast<std::ptrdiff_t>(step.size));
            }
        } else {
            heard_.clear();
        }
        if (heard.kind != Heard::Kind::nothing) {
            if (!heard_.empty())
                heard_.erase(heard_.begin(), heard_.begin() + static_cast<std::ptrdiff_t>(heard.octets.size()));
            if (heard.kind == Heard::Kind::frame) heard.view = FrameParser(frame_size_max).next(heard.octets).frame;
            take(heard);
            return heard;
        }
        const auto more = channel_->read(std::max(Duration(deadline - Clock::now()), Duration::zero()));
        heard_.insert(heard_.end(), more.begin(), more.end());
        if (!more.empty()) continue;
        if (!channel_->at_end()) return heard;
        ended_ = true;
        log_.add_note("<-", "end of stream");
    }
    heard.kind = Heard::Kind::end;
    return heard;
}

Heard Exchange::hear_until(std::string_view name, Duration patience) {
    // A peer that never stops talking must not keep us here.
    const auto deadline = Clock::now() + patience;
    for (;;) {
        Heard heard = hear(std::max(Duration(deadline - Clock::now()), Duration::zero()));
        switch (heard.kind) {
            case Heard::Kind::header:
                if (name == "header") return heard;
                break;
            case Heard::Kind::frame:
                if (codec::descriptor_name(heard.view.code) == name) return heard;
                break;
            default: return heard;
        }
    }
}

void Exchange::take(Heard& heard) {
    if (heard.kind == Heard::Kind::garbage) {
        lost_ = true;
        log_.add_note("<-", heard.problem);
        return odd("octets that are no frame: " + heard.problem);
    }
    log_.add("<-", codec::as_text(heard.octets));
    if (heard.kind == Heard::Kind::header) return;
    if (close_heard_) odd("a frame behind its close");  // [2.4.3]
    if (heard.view.empty()) return;
    if (heard.view.type == codec::FrameType::amqp) {
        codec::Decoder from(heard.view.performative);
        codec::Performative performative;
        if (!decode(from, performative))
            odd("a performative that does not decode: " + from.error().message() + ": " +
                std::string(codec::descriptor_name(heard.view.code)));
    }
    if (!open_heard_ && heard.view.type == codec::FrameType::amqp && !heard.is(codec::descriptor::open))
        odd("its first frame is no open");  // [2.4.1]
    open_heard_ = open_heard_ || heard.is(codec::descriptor::open);
    close_heard_ = close_heard_ || heard.is(codec::descriptor::close);
    if (heard.is(codec::descriptor::disposition)) {
        const auto disposition = heard.view.as<codec::Disposition>();
        if (disposition && disposition->state)
            if (const auto* declared = std::get_if<codec::Declared>(&*disposition->state))
                transaction_ = std::string(declared->txn_id.text());
    }
}

void Exchange::odd(const std::string& what) {
    if (!std::ranges::count(oddities_, what)) oddities_.push_back(what);
}

Played play(std::unique_ptr<peer::Channel> channel, const Script& script, const Timing& timing) {
    Exchange exchange(std::move(channel));
    Framing framing;
    Duration patience = timing.step;
    for (const auto& step : script.steps) {
        if (exchange.ended()) break;
        const std::string octets = with_transaction(step.octets, exchange.transaction());
        framing.take(octets);
        exchange.say(octets, step.splits);
        // What has come is read in any case: a peer that cannot write may stop reading.
        const bool waits = !step.awaits.empty() && !exchange.close_heard();
        const Heard heard = exchange.hear_until(step.awaits, waits ? patience : Duration::zero());
        // A conversation that has gone wrong goes on in its own way: there is ever less to wait for.
        if (waits && heard.kind == Heard::Kind::nothing) patience /= 2;
    }
    Played played;
    if (!exchange.ended() && framing.whole() && exchange.open_heard()) {
        // [2.4.3-b] a close is answered, unless the stream ends. One more does no harm where the script has said one.
        exchange.say(peer::close());
        if (!exchange.close_heard()) exchange.hear_until("close", timing.answer);
        played.hangs = !exchange.close_heard() && !exchange.ended();
    } else if (!exchange.ended()) {
        exchange.half_close();
        exchange.hear_until("", timing.ending);
    }
    played.log = exchange.log();
    played.oddities = exchange.oddities();
    return played;
}

}  // namespace aprotic::fuzzer
