#include "fuzzer/guard.hpp"

#include <algorithm>
#include <chrono>

#include "peer/frames.hpp"

namespace aprotic::fuzzer {
namespace {

using codec::Role;
using State = Health::State;

constexpr std::uint32_t window = 1'000'000'000;
constexpr std::uint32_t credit = 100;
constexpr std::uint32_t out_handle = 0;
constexpr std::uint32_t in_handle = 1;

/// Says `steps`, each answered as it should be.
Health say_all(Exchange& exchange, const std::vector<Step>& steps, const Timing& timing) {
    for (const auto& step : steps) {
        exchange.say(step.octets);
        if (step.awaits.empty()) continue;
        const Heard heard = exchange.hear_until(step.awaits, timing.answer);
        if (heard.kind == Heard::Kind::nothing) return {State::silent, "no " + step.awaits + " comes"};
        if (heard.kind == Heard::Kind::end || heard.kind == Heard::Kind::garbage)
            return {State::refused, "the stream ends, or is no AMQP, where " + step.awaits + " is due"};
        if (step.awaits == "sasl-outcome" && !heard.view.empty()) {
            const auto outcome = heard.view.as<codec::SaslOutcome>();
            if (!outcome || outcome->code != codec::SaslCode::ok) return {State::refused, "it does not let us in"};
        }
        if (exchange.close_heard()) return {State::refused, "it closes: " + exchange.log().last()};
    }
    return {};
}

std::unique_ptr<Exchange> connected(const Connector& connect, const Timing& timing, std::string& why) {
    auto channel = connect(timing.answer, why);
    return channel ? std::make_unique<Exchange>(std::move(channel)) : nullptr;
}

}  // namespace

Health probe(const Connector& connect, const Access& access, const Timing& timing) {
    std::string why;
    const auto exchange = connected(connect, timing, why);
    if (!exchange) return {State::refused, why};
    const Health health = say_all(*exchange, beginning(access, "fuzz-probe"), timing);
    if (health.state != State::well) return health;
    exchange->say(peer::close());
    const Heard heard = exchange->hear_until("close", timing.answer);
    if (heard.kind == Heard::Kind::nothing) return {State::silent, "no close comes"};
    return {};
}

Health find_access(const Connector& connect, Access& access, const Timing& timing) {
    Health health = probe(connect, access, timing);
    if (health.state == State::well || access.sasl != Access::Sasl::none) return health;
    access.sasl = Access::Sasl::anonymous;
    const Health other = probe(connect, access, timing);
    if (other.state == State::well) return other;
    access.sasl = Access::Sasl::none;
    return health;
}

void sweep(const Connector& connect, const Access& access, const Timing& timing) {
    std::string why;
    const auto exchange = connected(connect, timing, why);
    if (!exchange) return;
    if (say_all(*exchange, beginning(access, "fuzz-sweep"), timing).state != State::well) return;
    exchange->say(peer::begin().incoming_window(window).outgoing_window(window));
    exchange->say(peer::attach(Role::receiver, 0, "sweep")
                      .source(access.address)
                      .target("here")
                      .snd_settle_mode(codec::SenderSettleMode::settled));
    exchange->say(peer::flow().incoming_window(window).handle(0).delivery_count(0).link_credit(100'000).drain());
    // What is not settled is released when the link goes; it will be swept another time, or the peer's bound holds it.
    while (exchange->hear(timing.step).kind == Heard::Kind::frame) {
    }
    exchange->say(peer::close());
    exchange->hear_until("close", timing.step);
}

Health Guard::start(const Connector& connect, const Access& access, const Timing& timing, const std::string& name) {
    name_ = name;
    Health health = open(connect, access, timing);
    if (health.state != State::well) return health;
    echoes_ = attach(access, timing) && check_echo(timing).state == State::well;
    if (echoes_) return health;
    // A peer without this node, or one that keeps what it takes.
    health = open(connect, access, timing);
    return health.state == State::well ? check_flow(timing) : health;
}

Health Guard::check(const Timing& timing) { return echoes_ ? check_echo(timing) : check_flow(timing); }

void Guard::stop() {
    if (!exchange_) return;
    exchange_->say(peer::close());
    exchange_.reset();
}

Health Guard::open(const Connector& connect, const Access& access, const Timing& timing) {
    sent_ = received_ = frames_ = credit_limit_ = 0;
    their_handle_.reset();
    std::string why;
    exchange_ = connected(connect, timing, why);
    if (!exchange_) return {State::refused, why};
    auto steps = beginning(access, name_);
    const auto begin = peer::begin().incoming_window(window).outgoing_window(window);
    steps.push_back({std::string(begin.encode(0).text()), {}, "begin"});
    const Health health = say_all(*exchange_, steps, timing);
    if (health.state != State::well) exchange_.reset();
    return health;
}

bool Guard::attach(const Access& access, const Timing& timing) {
    exchange_->say(peer::attach(Role::sender, out_handle, name_ + "-out")
                       .source("here")
                       .target(access.guard_address)
                       .initial_delivery_count(0));
    exchange_->say(peer::attach(Role::receiver, in_handle, name_ + "-in").source(access.guard_address).target("here"));
    exchange_->say(peer::flow().incoming_window(window).handle(in_handle).delivery_count(0).link_credit(credit));
    while (!has_credit())
        if (!take(exchange_->hear(timing.answer))) return false;
    return true;
}

Health Guard::check_echo(const Timing& timing) {
    while (!has_credit()) {
        const Heard heard = exchange_->hear(timing.answer);
        if (heard.kind == Heard::Kind::nothing) return stopped(State::silent, "its sender gets no credit any more");
        if (!take(heard)) return stopped(State::harmed, "it is ended");
    }
    const std::string body = name_ + " message " + std::to_string(sent_);
    exchange_->say(peer::transfer(out_handle)
                       .delivery_id(sent_)
                       .delivery_tag(std::to_string(sent_))
                       .message_format(0)
                       .settled(false)
                       .message(codec::Message(body)));
    ++sent_;
    const auto deadline = std::chrono::steady_clock::now() + timing.answer;
    for (;;) {
        const auto left = Duration(deadline - std::chrono::steady_clock::now());
        const Heard heard = exchange_->hear(std::max(left, Duration::zero()));
        if (heard.kind == Heard::Kind::nothing) return stopped(State::silent, "its message does not come back");
        if (!take(heard)) return stopped(State::harmed, "it is ended");
        const bool back = heard.is(codec::descriptor::transfer) &&
                          codec::as_text(heard.view.payload).find(body) != std::string_view::npos;
        if (back) return {};
    }
}

Health Guard::check_flow(const Timing& timing) {
    exchange_->say(peer::flow().incoming_window(window).outgoing_window(window).echo());
    const Heard heard = exchange_->hear_until("flow", timing.answer);
    if (heard.kind == Heard::Kind::nothing) return stopped(State::silent, "its session's flow is not answered");
    if (!take(heard)) return stopped(State::harmed, "it is ended");
    return {};
}

Health Guard::stopped(State state, const std::string& what) {
    const std::string last = exchange_->log().last();
    exchange_.reset();
    return {state, what + (last.empty() ? std::string() : ": " + last)};
}

bool Guard::take(const Heard& heard) {
    if (heard.kind != Heard::Kind::frame) return false;
    using namespace codec;
    switch (heard.view.code) {
        case descriptor::flow:
            if (const auto flow = heard.view.as<Flow>(); flow && flow->handle && flow->handle == their_handle_)
                credit_limit_ = flow->delivery_count.value_or(0) + flow->link_credit.value_or(0);
            return true;
        case descriptor::transfer: {
            const auto transfer = heard.view.as<Transfer>();
            if (!transfer) return false;
            ++frames_;
            if (transfer->more) return true;
            ++received_;
            exchange_->say(peer::disposition(Role::receiver, transfer->delivery_id.value_or(0)).settled().accepted());
            exchange_->say(peer::flow()
                               .next_incoming_id(frames_)
                               .incoming_window(window)
                               .next_outgoing_id(sent_)
                               .handle(in_handle)
                               .delivery_count(received_)
                               .link_credit(credit));
            return true;
        }
        case descriptor::disposition: {
            const auto disposition = heard.view.as<Disposition>();
            if (disposition && disposition->role == Role::receiver && !disposition->settled)
                exchange_->say(peer::disposition(Role::sender, disposition->first)
                                   .last(disposition->last.value_or(disposition->first))
                                   .settled());
            return true;
        }
        case descriptor::attach: {
            const auto attach = heard.view.as<Attach>();  // without a terminus the link is refused [2.6.3-b]
            if (attach && attach->role == Role::receiver) their_handle_ = attach->handle;
            return attach && (attach->role == Role::sender ? attach->source.has_value() : attach->target.has_value());
        }
        case descriptor::detach:
        case descriptor::end:
        case descriptor::close: return false;
        default: return true;
    }
}

}  // namespace aprotic::fuzzer
