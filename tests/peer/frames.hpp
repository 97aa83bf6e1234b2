#pragma once

#include <aprotic/codec/frame.hpp>
#include <aprotic/codec/message.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// Frames as a script writes them: `transfer(0).delivery_id(0).delivery_tag("a").settled().payload("…")`. What is not
/// said has the specification's default, or the value that makes the frame legal. Every field can be set to nonsense on
/// purpose through
/// `.performative`, and octets that no builder makes go out by Peer::send_raw.
namespace aprotic::peer {

/// An error as a frame carries it; without text the description is left out.
inline codec::ErrorCondition error_condition(std::string_view condition, std::string description = {}) {
    codec::ErrorCondition error;
    error.condition = codec::Symbol(condition);
    if (!description.empty()) error.description = std::move(description);
    return error;
}

/// One frame in the making. Without a channel it goes out on the one the script last used.
template <class T, class Self>
struct FrameOf {
    T performative{};
    std::optional<std::uint16_t> channel;
    codec::ByteChain octets;

    Self& on_channel(std::uint16_t number) {
        channel = number;
        return self();
    }
    Self& payload(std::string_view bytes) {
        octets.append(codec::Bytes::copy_of(bytes));
        return self();
    }
    Self& payload(const codec::ByteChain& bytes) {
        octets.append(bytes);
        return self();
    }
    Self& message(const codec::Message& content) { return payload(codec::encode(content).octets()); }

    codec::Bytes encode(std::uint16_t default_channel) const {
        return codec::encode_frame(channel.value_or(default_channel), performative, octets.contiguous().span());
    }

protected:
    T& set() { return performative; }
    Self& self() { return static_cast<Self&>(*this); }
};

struct OpenFrame : FrameOf<codec::Open, OpenFrame> {
    auto& container_id(std::string v) { return set().container_id = std::move(v), *this; }
    auto& hostname(std::string v) { return set().hostname = std::move(v), *this; }
    auto& max_frame_size(std::uint32_t v) { return set().max_frame_size = v, *this; }
    auto& channel_max(std::uint16_t v) { return set().channel_max = v, *this; }
    auto& idle_time_out(std::uint32_t ms) { return set().idle_time_out = ms, *this; }
    auto& offers(codec::Symbol v) { return set().offered_capabilities.push_back(std::move(v)), *this; }
    auto& desires(codec::Symbol v) { return set().desired_capabilities.push_back(std::move(v)), *this; }
    auto& property(codec::Symbol key, codec::Value v) {
        return set().properties.set(std::move(key), std::move(v)), *this;
    }
};

struct BeginFrame : FrameOf<codec::Begin, BeginFrame> {
    auto& remote_channel(std::uint16_t v) { return set().remote_channel = v, *this; }
    auto& next_outgoing_id(std::uint32_t v) { return set().next_outgoing_id = v, *this; }
    auto& incoming_window(std::uint32_t v) { return set().incoming_window = v, *this; }
    auto& outgoing_window(std::uint32_t v) { return set().outgoing_window = v, *this; }
    auto& handle_max(std::uint32_t v) { return set().handle_max = v, *this; }
    auto& property(codec::Symbol key, codec::Value v) {
        return set().properties.set(std::move(key), std::move(v)), *this;
    }
};

struct AttachFrame : FrameOf<codec::Attach, AttachFrame> {
    auto& name(std::string v) { return set().name = std::move(v), *this; }
    auto& handle(std::uint32_t v) { return set().handle = v, *this; }
    auto& snd_settle_mode(codec::SenderSettleMode v) { return set().snd_settle_mode = v, *this; }
    auto& rcv_settle_mode(codec::ReceiverSettleMode v) { return set().rcv_settle_mode = v, *this; }
    auto& initial_delivery_count(std::uint32_t v) { return set().initial_delivery_count = v, *this; }
    auto& max_message_size(std::uint64_t v) { return set().max_message_size = v, *this; }
    auto& source(codec::Source v) { return set().source = std::move(v), *this; }
    auto& target(codec::Target v) { return set().target = codec::AttachTarget(std::move(v)), *this; }
    auto& no_source() { return set().source.reset(), *this; }
    auto& no_target() { return set().target.reset(), *this; }
    auto& source(std::string address) {
        codec::Source v;
        v.address = std::move(address);
        return source(std::move(v));
    }
    auto& target(std::string address) {
        codec::Target v;
        v.address = std::move(address);
        return target(std::move(v));
    }
    auto& offers(codec::Symbol v) { return set().offered_capabilities.push_back(std::move(v)), *this; }
    auto& desires(codec::Symbol v) { return set().desired_capabilities.push_back(std::move(v)), *this; }
    auto& property(codec::Symbol key, codec::Value v) {
        return set().properties.set(std::move(key), std::move(v)), *this;
    }
};

struct FlowFrame : FrameOf<codec::Flow, FlowFrame> {
    auto& next_incoming_id(std::uint32_t v) { return set().next_incoming_id = v, *this; }
    auto& no_next_incoming_id() { return set().next_incoming_id.reset(), *this; }
    auto& incoming_window(std::uint32_t v) { return set().incoming_window = v, *this; }
    auto& next_outgoing_id(std::uint32_t v) { return set().next_outgoing_id = v, *this; }
    auto& outgoing_window(std::uint32_t v) { return set().outgoing_window = v, *this; }
    auto& handle(std::uint32_t v) { return set().handle = v, *this; }
    auto& delivery_count(std::uint32_t v) { return set().delivery_count = v, *this; }
    auto& link_credit(std::uint32_t v) { return set().link_credit = v, *this; }
    auto& available(std::uint32_t v) { return set().available = v, *this; }
    auto& drain(bool v = true) { return set().drain = v, *this; }
    auto& echo(bool v = true) { return set().echo = v, *this; }
};

struct TransferFrame : FrameOf<codec::Transfer, TransferFrame> {
    auto& handle(std::uint32_t v) { return set().handle = v, *this; }
    auto& delivery_id(std::uint32_t v) { return set().delivery_id = v, *this; }
    auto& delivery_tag(std::string_view v) { return set().delivery_tag = codec::DeliveryTag(v), *this; }
    auto& message_format(std::uint32_t v) { return set().message_format = v, *this; }
    auto& settled(bool v = true) { return set().settled = v, *this; }
    auto& more(bool v = true) { return set().more = v, *this; }
    auto& rcv_settle_mode(codec::ReceiverSettleMode v) { return set().rcv_settle_mode = v, *this; }
    auto& state(codec::DeliveryState v) { return set().state = std::move(v), *this; }
    auto& resume(bool v = true) { return set().resume = v, *this; }
    auto& aborted(bool v = true) { return set().aborted = v, *this; }
    auto& batchable(bool v = true) { return set().batchable = v, *this; }
};

struct DispositionFrame : FrameOf<codec::Disposition, DispositionFrame> {
    auto& role(codec::Role v) { return set().role = v, *this; }
    auto& first(std::uint32_t v) { return set().first = v, *this; }
    auto& last(std::uint32_t v) { return set().last = v, *this; }
    auto& settled(bool v = true) { return set().settled = v, *this; }
    auto& state(codec::DeliveryState v) { return set().state = std::move(v), *this; }
    auto& accepted() { return state(codec::Accepted{}); }
    auto& released() { return state(codec::Released{}); }
    auto& rejected(std::string_view condition, std::string description = {}) {
        return state(codec::Rejected{error_condition(condition, std::move(description))});
    }
    auto& batchable(bool v = true) { return set().batchable = v, *this; }
};

struct DetachFrame : FrameOf<codec::Detach, DetachFrame> {
    auto& handle(std::uint32_t v) { return set().handle = v, *this; }
    auto& closed(bool v = true) { return set().closed = v, *this; }
    auto& error(std::string_view condition, std::string description = {}) {
        return set().error = error_condition(condition, std::move(description)), *this;
    }
};

struct EndFrame : FrameOf<codec::End, EndFrame> {
    auto& error(std::string_view condition, std::string description = {}) {
        return set().error = error_condition(condition, std::move(description)), *this;
    }
};

struct CloseFrame : FrameOf<codec::Close, CloseFrame> {
    auto& error(std::string_view condition, std::string description = {}) {
        return set().error = error_condition(condition, std::move(description)), *this;
    }
};

struct SaslMechanismsFrame : FrameOf<codec::SaslMechanisms, SaslMechanismsFrame> {};
struct SaslInitFrame : FrameOf<codec::SaslInit, SaslInitFrame> {
    auto& initial_response(std::string_view v) { return set().initial_response = codec::Binary(v), *this; }
    auto& hostname(std::string v) { return set().hostname = std::move(v), *this; }
};
struct SaslChallengeFrame : FrameOf<codec::SaslChallenge, SaslChallengeFrame> {};
struct SaslResponseFrame : FrameOf<codec::SaslResponse, SaslResponseFrame> {};
struct SaslOutcomeFrame : FrameOf<codec::SaslOutcome, SaslOutcomeFrame> {
    auto& additional_data(std::string_view v) { return set().additional_data = codec::Binary(v), *this; }
};

inline OpenFrame open() {
    OpenFrame frame;
    frame.performative.container_id = "peer";
    return frame;
}
inline BeginFrame begin() {
    BeginFrame frame;
    frame.performative.incoming_window = frame.performative.outgoing_window = 2048;
    return frame;
}
/// A link on which the peer sends, or receives.
inline AttachFrame attach(codec::Role role, std::uint32_t handle, std::string name = "link") {
    AttachFrame frame;
    frame.performative.role = role;
    frame.performative.handle = handle;
    frame.performative.name = std::move(name);
    // A sender must say where it starts to count. [2.7.3]
    if (role == codec::Role::sender) frame.performative.initial_delivery_count = 0;
    frame.performative.source = codec::Source{};
    frame.performative.target = codec::AttachTarget(codec::Target{});
    return frame;
}
/// A session flow; `.handle()` and `.link_credit()` make it a link's.
inline FlowFrame flow() {
    FlowFrame frame;
    frame.performative.next_incoming_id = 0;
    frame.performative.incoming_window = frame.performative.outgoing_window = 2048;
    return frame;
}
inline TransferFrame transfer(std::uint32_t handle) {
    TransferFrame frame;
    frame.performative.handle = handle;
    return frame;
}
inline DispositionFrame disposition(codec::Role role, std::uint32_t first) {
    DispositionFrame frame;
    frame.performative.role = role;
    frame.performative.first = first;
    return frame;
}
inline DetachFrame detach(std::uint32_t handle) {
    DetachFrame frame;
    frame.performative.handle = handle;
    return frame;
}
inline EndFrame end() { return {}; }
inline CloseFrame close() { return {}; }

inline SaslMechanismsFrame sasl_mechanisms(std::vector<codec::Symbol> names) {
    SaslMechanismsFrame frame;
    frame.performative.sasl_server_mechanisms = std::move(names);
    return frame;
}
inline SaslInitFrame sasl_init(codec::Symbol mechanism) {
    SaslInitFrame frame;
    frame.performative.mechanism = std::move(mechanism);
    return frame;
}
inline SaslChallengeFrame sasl_challenge(std::string_view octets) {
    SaslChallengeFrame frame;
    frame.performative.challenge = codec::Binary(octets);
    return frame;
}
inline SaslResponseFrame sasl_response(std::string_view octets) {
    SaslResponseFrame frame;
    frame.performative.response = codec::Binary(octets);
    return frame;
}
inline SaslOutcomeFrame sasl_outcome(codec::SaslCode code) {
    SaslOutcomeFrame frame;
    frame.performative.code = code;
    return frame;
}

}  // namespace aprotic::peer
