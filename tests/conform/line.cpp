#include "conform/line.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>

#include "conform/clock.hpp"

namespace aprotic::conform {
namespace {

std::string decoded(std::span<const std::byte> octets) {
    codec::DumpOptions options;
    options.octets_max = 64;
    return codec::dump(codec::DumpAs::frames, octets, options).text;
}

/// What the peer must not have written; empty when the frame is in order.
std::string fault_of(const codec::FrameView& view) {
    if (view.empty()) return {};
    codec::Decoder from(view.performative);
    bool ok = false;
    if (view.type == codec::FrameType::sasl) {
        codec::SaslFrame frame;
        ok = decode(from, frame);
    } else {
        codec::Performative frame;
        ok = decode(from, frame);
    }
    return ok ? std::string() : "a frame that does not decode: " + codec::to_string(view);
}

Duration scale(Duration duration, double factor) {
    return std::chrono::duration_cast<Duration>(std::chrono::duration<double, std::nano>(duration) * factor);
}

}  // namespace

Timing Timing::scaled(double factor) const {
    return {scale(answer, factor), scale(quiet, factor), scale(ending, factor)};
}

Line::Line(std::unique_ptr<peer::Channel> channel, Timing waits, std::size_t number, std::vector<LogEntry>& log,
           Outcome& outcome)
    : timing(waits), channel_(std::move(channel)), number_(number), log_(log), outcome_(outcome) {}

void Line::raw(std::span<const std::byte> octets) {
    last_sent_.assign(octets.begin(), octets.end());
    said_at_ = seconds_now();
    log_.push_back({number_, said_at_, true, last_sent_});
    channel_->write(octets);
}

void Line::keep_alive() {
    constexpr double share = 0.4, ms = 0.001;
    const std::uint32_t wanted = their_open ? their_open->idle_time_out.value_or(0) : 0;
    if (wanted != 0 && seconds_now() - said_at_ > wanted * ms * share) raw(codec::empty_frame());
}

void Line::raw_open(std::string_view octets) {
    frame_size_max = codec::protocol::frame_size_max_default;
    open_sent_ = true;
    raw(octets);
}

bool Line::take(Heard& heard) {
    const auto octets = [&](std::size_t size) {
        const auto end = heard_.begin() + static_cast<std::ptrdiff_t>(size);
        heard.octets.assign(heard_.begin(), end);
        heard_.erase(heard_.begin(), end);
    };
    constexpr std::string_view magic = "AMQP";
    const std::string_view start = codec::as_text(std::span(heard_).first(std::min<std::size_t>(heard_.size(), 4)));
    if (!start.empty() && magic.starts_with(start)) {
        if (heard_.size() < codec::ProtocolHeader::size) return false;
        octets(codec::ProtocolHeader::size);
        heard.kind = Heard::Kind::header;
        heard.header = *codec::ProtocolHeader::parse(heard.octets);
        return true;
    }
    const auto step = codec::FrameParser(frame_size_max).next(heard_);
    if (step.status == codec::FrameParser::Status::need_more) return false;
    if (step.status == codec::FrameParser::Status::error) {
        heard.kind = Heard::Kind::bad;
        heard.problem = "octets that are no frame (" + step.error.message() + ")";
        octets(heard_.size());
        return true;
    }
    octets(step.size);
    heard.view = codec::FrameParser(frame_size_max).next(heard.octets).frame;
    heard.problem = close_heard_ ? "a frame after its close: " + codec::to_string(heard.view) : fault_of(heard.view);
    heard.kind = heard.problem.empty() ? Heard::Kind::frame : Heard::Kind::bad;
    if (heard.is(codec::descriptor::close)) close_heard_ = true;
    if (auto open = heard.as<codec::Open>()) their_open = std::move(*open);
    return true;
}

Heard Line::hear(Duration patience) {
    const double deadline = seconds_now() + std::chrono::duration<double>(patience).count();
    Heard heard;
    while (!take(heard)) {
        const double left = deadline - seconds_now();
        const auto octets = channel_->read(std::max(Duration::zero(), scale(std::chrono::seconds(1), left)));
        heard_.insert(heard_.end(), octets.begin(), octets.end());
        if (!octets.empty()) {
            log_.push_back({number_, seconds_now(), false, octets});
            continue;
        }
        if (channel_->at_end()) {
            heard.kind = Heard::Kind::end;
            if (!heard_.empty()) heard.problem = "in the middle of a frame";
        }
        break;
    }
    return heard;
}

codec::ProtocolHeader Line::expect_header(std::string_view why) {
    const Heard heard = hear();
    if (heard.kind != Heard::Kind::header) fail("the peer sends " + std::string(why), heard);
    return heard.header;
}

Heard Line::next_for(std::uint64_t wanted, const std::string& due) {
    const bool flows = wanted == codec::descriptor::flow;
    const bool ending =
        wanted == codec::descriptor::detach || wanted == codec::descriptor::end || wanted == codec::descriptor::close;
    const double deadline = seconds_now() + std::chrono::duration<double>(timing.answer).count();
    for (;;) {
        Heard heard = hear();
        if (heard.kind != Heard::Kind::frame) fail(due, heard);
        const bool passed_over = heard.view.empty() || (!flows && heard.is(codec::descriptor::flow)) ||
                                 (ending && heard.is(codec::descriptor::disposition));
        if (!passed_over) return heard;
        if (auto flow = heard.as<codec::Flow>(); flow && flow->link_credit && *flow->link_credit > 0)
            credit = *flow->link_credit;
        if (seconds_now() > deadline) fail(due, Heard());
    }
}

void Line::expect_nothing(Duration how_long, std::string_view why) {
    const double deadline = seconds_now() + std::chrono::duration<double>(how_long).count();
    for (;;) {
        const double left = std::max(0.0, deadline - seconds_now());
        const Heard heard = hear(scale(std::chrono::seconds(1), left));
        if (heard.kind == Heard::Kind::nothing) return;
        const bool passed_over =
            heard.kind == Heard::Kind::frame && (heard.view.empty() || heard.is(codec::descriptor::flow));
        if (!passed_over) fail(std::string(why), heard);
    }
}

void Line::expect_end(std::string_view why) {
    for (;;) {
        const Heard heard = hear();
        if (heard.kind == Heard::Kind::end) return;
        if (heard.kind == Heard::Kind::nothing || heard.kind == Heard::Kind::bad)
            fail("the peer ends the stream: " + std::string(why), heard);
    }
}

void Line::expect_finished() {
    const Heard heard = hear(timing.ending);
    if (heard.kind == Heard::Kind::nothing)
        return outcome_.took("leaves the stream to its partner when both have closed", Grade::lenient);
    if (heard.kind != Heard::Kind::end) fail("nothing more, or the end of the stream: both sides have closed", heard);
}

void Line::wait_for_end(double seconds) {
    const double began = seconds_now();
    for (double left = seconds; left > 0; left = began + seconds - seconds_now()) {
        const Heard heard = hear(scale(std::chrono::seconds(1), left));
        if (heard.kind != Heard::Kind::end) continue;
        outcome_.took("ends the stream after " + std::to_string(std::lround(seconds_now() - began)) + " s");
        return;
    }
    outcome_.took("is still there after " + std::to_string(std::lround(seconds)) + " s", Grade::recorded);
}

Heard Line::accept_one_of(const Reactions& reactions) {
    std::string expected;
    for (const auto& reaction : reactions)
        expected += (expected.empty() ? "" : "\nor ") + reaction.name +
                    (reaction.grade == Grade::lenient ? " (not strict)" : "");
    outcome_.sent = decoded(last_sent_);
    const double deadline = seconds_now() + std::chrono::duration<double>(timing.answer).count();
    std::string besides;
    double quiet_until = seconds_now() + std::chrono::duration<double>(timing.quiet).count();
    bool has_gone_on = false;
    for (bool asked = false;;) {
        Heard heard = hear(asked && !has_gone_on ? timing.answer : timing.quiet);
        // A peer that sends empty frames all the time says nothing either. [2.4.5]
        const bool is_empty = heard.kind == Heard::Kind::frame && heard.view.empty();
        const bool says_nothing = heard.kind == Heard::Kind::nothing || (is_empty && seconds_now() > quiet_until);
        if (!is_empty) quiet_until = seconds_now() + std::chrono::duration<double>(timing.quiet).count();
        if (says_nothing && !asked) {
            asked = true;
            probe();
            continue;
        }
        const auto begun = heard.as<codec::Begin>();
        const bool went_on = begun && probed_ && begun->remote_channel == probed_;
        const bool is_flow_echo = heard.is(codec::descriptor::flow) && asked && !probed_ && may_probe && their_open;
        // A client need not answer echo: where it says nothing to the last it has passed over what was sent. [2.7.4]
        const bool said_nothing = heard.kind == Heard::Kind::nothing && !may_begin;
        for (const auto& reaction : reactions) {
            const bool taken = reaction.matches ? reaction.matches(heard) : went_on || is_flow_echo || said_nothing;
            if (!taken) continue;
            outcome_.took(reaction);
            if (heard.kind == Heard::Kind::frame) outcome_.heard = decoded(heard.octets);
            return heard;
        }
        // An answer on one channel may overtake what takes longer on another.
        if (went_on) {
            has_gone_on = true;
            continue;
        }
        const bool in_time = seconds_now() <= deadline;
        if (has_gone_on && (heard.kind == Heard::Kind::nothing || !in_time))
            fail(expected, "the peer went on as if nothing had been" +
                               (besides.empty() ? std::string() : ", and sent " + besides));
        const bool final = heard.kind != Heard::Kind::frame || heard.is(codec::descriptor::close) ||
                           heard.is(codec::descriptor::end) || heard.is(codec::descriptor::detach);
        // What a client says of its own accord is no answer.
        const bool answers_otherwise = may_begin && !besides.empty();
        if (heard.kind == Heard::Kind::nothing && answers_otherwise) fail(expected, "nothing but " + besides);
        if (final && heard.kind != Heard::Kind::header) fail(expected, heard);
        const bool telling = !heard.view.empty() && !heard.is(codec::descriptor::flow);
        if (telling && besides.size() < 400) besides += (besides.empty() ? "" : ", ") + heard.text();
        if (in_time) continue;
        answers_otherwise ? fail(expected, "nothing but " + besides) : fail(expected, Heard());
    }
}

void Line::probe() {
    if (!may_probe || !open_sent_ || !their_open) return;
    std::uint16_t free = 0;
    while (channels_.contains(free)) ++free;
    const auto kept = last_sent_;
    if (may_begin && free <= their_open->channel_max) {
        send(peer::begin().on_channel(free));
        probed_ = free;
    } else if (!channels_.empty()) {
        asking.on_channel(*channels_.begin());
        send(asking);
    }
    last_sent_ = kept;
}

void Line::fail(const std::string& expected, const Heard& heard) {
    if (outcome_.sent.empty()) outcome_.sent = decoded(last_sent_);
    if (!heard.octets.empty()) outcome_.heard = decoded(heard.octets);
    const Verdict verdict = heard.kind == Heard::Kind::nothing ? Verdict::silent : Verdict::failed;
    throw Finding{ordinary_ > 0 ? Verdict::inconclusive : verdict, expected, heard.text()};
}

void Line::fail(const std::string& expected, const std::string& actual) {
    if (outcome_.sent.empty()) outcome_.sent = decoded(last_sent_);
    throw Finding{ordinary_ > 0 ? Verdict::inconclusive : Verdict::failed, expected, actual};
}

void Line::require(bool holds, const std::string& expected, const std::string& actual) {
    if (!holds) fail(expected, actual);
}

void Line::ordinary(const std::function<void()>& steps) {
    ++ordinary_;
    steps();
    --ordinary_;
}

void Line::authenticate(std::string_view mechanism, std::string_view response) {
    ordinary([&] {
        header(codec::ProtocolId::sasl);
        const auto theirs = expect_header("the SASL header");
        require(theirs.is(codec::ProtocolId::sasl), "the peer has a SASL layer", "another protocol header");
        expect<codec::SaslMechanisms>();
        send(peer::sasl_init(codec::Symbol(mechanism)).initial_response(response));
        const auto outcome = expect<codec::SaslOutcome>();
        require(outcome->code == codec::SaslCode::ok, "the peer lets us in by " + std::string(mechanism),
                codec::to_string(codec::SaslFrame(*outcome)));
    });
}

codec::Open Line::open(const peer::OpenFrame& ours) {
    ordinary([&] {
        header();
        send(ours);
        const auto theirs = expect_header("the AMQP header");
        require(theirs.is(codec::ProtocolId::amqp), "the peer sends the AMQP header", "another protocol header");
        expect<codec::Open>();
    });
    return *their_open;
}

codec::Begin Line::begin(std::uint16_t channel, peer::BeginFrame ours) {
    codec::Begin theirs;
    ordinary([&] {
        send(ours.on_channel(channel));
        theirs = *expect<codec::Begin>();
    });
    return theirs;
}

Got<codec::Attach> Line::attach_sender(const peer::AttachFrame& ours) {
    Got<codec::Attach> theirs;
    credit = 0;
    ordinary([&] {
        send(ours);
        theirs = expect<codec::Attach>("it accepts our sender");
        while (credit == 0) {
            const auto flow = expect<codec::Flow>("it gives credit");
            if (flow->handle == theirs->handle) credit = flow->link_credit.value_or(0);
        }
    });
    return theirs;
}

Got<codec::Attach> Line::attach_receiver(const peer::AttachFrame& ours) {
    Got<codec::Attach> theirs;
    ordinary([&] {
        send(ours);
        theirs = expect<codec::Attach>("it accepts our receiver");
        require(theirs->source.has_value(), "the peer has a source for our receiver", "an attach without source");
    });
    return theirs;
}

std::string Line::finish() {
    const bool error = close_heard_;
    if (channel_->at_end()) return error ? "close, then the end of the stream" : std::string(left_without_close);
    if (!open_sent_) return "left open";
    if (!close_sent_) send(peer::close());
    const double deadline = seconds_now() + std::chrono::duration<double>(timing.ending).count();
    while (seconds_now() < deadline) {
        const Heard heard = hear(close_heard_ ? timing.quiet : timing.ending);
        if (heard.kind == Heard::Kind::end) break;
        if (heard.kind == Heard::Kind::nothing || heard.kind == Heard::Kind::bad) break;
    }
    const std::string closed = error ? "close" : close_heard_ ? "close in answer to ours" : "no close";
    return closed + (channel_->at_end() ? ", then the end of the stream" : ", and the stream stays open");
}

}  // namespace aprotic::conform
