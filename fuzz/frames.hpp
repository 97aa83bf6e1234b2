#pragma once

#include "generate.hpp"

#include <aprotic/codec/frame.hpp>
#include <aprotic/codec/message.hpp>
#include <aprotic/codec/performatives.hpp>
#include <aprotic/codec/sasl_frames.hpp>
#include <aprotic/codec/transactions.hpp>

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace aprotic::fuzz {

/// The stream of a peer that obeys the framing and nothing else. Its frames are well formed, name few channels, handles
/// and delivery-ids, so that they meet, and come in any order with any fields.
class Frames {
public:
    explicit Frames(Chance& chance) : chance_(chance) {}

    /// Protocol headers, with or without a SASL layer in between, and frames until the choices are used up.
    std::span<const std::byte> make(bool to_a_client) {
        if (chance_.one_in(4)) sasl(to_a_client);
        header(codec::ProtocolId::amqp);
        if (!chance_.one_in(16)) open();
        constexpr unsigned frames_max = 300;
        for (unsigned i = 0; i < frames_max && !chance_.empty(); ++i) frame();
        return to_.written();
    }

private:
    void header(codec::ProtocolId id) { to_.append_raw(codec::ProtocolHeader(id).serialise()); }

    void sasl(bool to_a_client) {
        header(codec::ProtocolId::sasl);
        if (to_a_client) {
            codec::append_frame(to_, 0, codec::SaslMechanisms{.sasl_server_mechanisms = {"PLAIN", "ANONYMOUS"}});
            if (chance_.one_in(4)) codec::append_frame(to_, 0, codec::SaslChallenge{.challenge = codec::Binary("?")});
            codec::append_frame(to_, 0, codec::SaslOutcome{.code = static_cast<codec::SaslCode>(chance_.below(8) / 4)});
        } else {
            codec::SaslInit init{.mechanism = chance_.one_in(2) ? "PLAIN" : "ANONYMOUS"};
            init.initial_response = codec::Binary(std::string_view("\0guest\0guest", 12));
            codec::append_frame(to_, 0, init);
            if (chance_.one_in(4)) codec::append_frame(to_, 0, codec::SaslResponse{.response = codec::Binary("!")});
        }
    }

    void frame() {
        switch (chance_.below(18)) {
            case 0:
            case 1: return begin();
            case 2:
            case 3:
            case 4: return attach();
            case 5:
            case 6:
            case 7: return flow();
            case 8:
            case 9:
            case 10:
            case 11: return transfer();
            case 12:
            case 13: return disposition();
            case 14: return put(codec::Detach{.handle = handle(), .closed = flip(), .error = error()});
            case 15:
                if (!chance_.one_in(2)) return transfer();
                return put(codec::End{.error = error()});
            case 16:
                if (!chance_.one_in(8)) return to_.append_raw(codec::empty_frame(channel()));
                return flip() ? open() : put(codec::Close{.error = error()});
            default: return any();
        }
    }

    /// A performative with whatever its table allows.
    void any() {
        const auto code = codec::descriptor::open + chance_.below(9);
        Generator generator(chance_);
        generator.composite(*codec::find_composite(code));
        const auto octets = generator.written();
        constexpr std::size_t header_size = 8;
        to_.append_u32(static_cast<std::uint32_t>(header_size + octets.size()));
        to_.append_u8(2);
        to_.append_u8(0);
        to_.append_u16(channel());
        to_.append_raw(octets);
    }

    void open() {
        codec::Open open{.container_id = flip() ? "peer" : ""};
        if (chance_.one_in(3)) open.max_frame_size = one_of(0U, 511U, 512U, 4096U, UINT32_MAX);
        if (chance_.one_in(3)) open.channel_max = static_cast<std::uint16_t>(one_of(0U, 1U, 3U, 65535U));
        if (chance_.one_in(3)) open.idle_time_out = one_of(0U, 1U, 1000U, UINT32_MAX);
        put(open, 0);
    }

    void begin() {
        codec::Begin begin{.next_outgoing_id = one_of(0U, 1U, UINT32_MAX - 2),
                           .incoming_window = one_of(0U, 1U, 16U, 2048U, UINT32_MAX),
                           .outgoing_window = one_of(0U, 1U, 16U, 2048U, UINT32_MAX)};
        if (flip()) begin.remote_channel = channel();
        if (chance_.one_in(4)) begin.handle_max = chance_.below(4);
        next_id_ = begin.next_outgoing_id;
        put(begin);
    }

    void attach() {
        codec::Attach attach{.name = name(), .handle = handle(), .role = role()};
        attach.snd_settle_mode = static_cast<codec::SenderSettleMode>(chance_.below(3));
        attach.rcv_settle_mode = static_cast<codec::ReceiverSettleMode>(chance_.below(2));
        if (!chance_.one_in(8)) attach.source = source();
        if (!chance_.one_in(8)) attach.target = target();
        if (chance_.one_in(4)) {
            attach.unsettled.emplace();
            for (unsigned i = chance_.below(4); i > 0; --i) {
                const std::optional<codec::DeliveryState> held = state();
                attach.unsettled->append(codec::Binary(tag().span()), held ? codec::to_value(*held) : codec::Value());
            }
            attach.incomplete_unsettled = chance_.one_in(4);
        }
        if (attach.role == codec::Role::sender || chance_.one_in(8)) attach.initial_delivery_count = any_number();
        if (chance_.one_in(4)) attach.max_message_size = chance_.below(200);
        put(attach);
    }

    codec::Source source() {
        codec::Source source{.address = chance_.one_in(8) ? std::nullopt : std::optional<std::string>("node")};
        source.dynamic = chance_.one_in(8);
        source.durable = static_cast<codec::TerminusDurability>(chance_.below(3));
        source.expiry_policy = static_cast<codec::TerminusExpiryPolicy>(chance_.below(4));
        if (chance_.one_in(4)) source.default_outcome = codec::Released{};
        return source;
    }
    codec::AttachTarget target() {
        if (chance_.one_in(8)) return codec::Coordinator{};
        codec::Target target{.address = chance_.one_in(8) ? std::nullopt : std::optional<std::string>("node")};
        target.dynamic = chance_.one_in(8);
        return target;
    }

    void flow() {
        codec::Flow flow{.incoming_window = one_of(0U, 1U, 16U, 2048U, UINT32_MAX),
                         .next_outgoing_id = chance_.one_in(4) ? any_number() : next_id_,
                         .outgoing_window = one_of(0U, 1U, 16U, UINT32_MAX)};
        if (!chance_.one_in(4)) flow.next_incoming_id = any_number();
        if (!chance_.one_in(4)) {
            flow.handle = handle();
            if (!chance_.one_in(4)) flow.delivery_count = any_number();
            if (!chance_.one_in(4)) flow.link_credit = one_of(0U, 1U, 5U, 100U, UINT32_MAX);
            if (chance_.one_in(4)) flow.available = any_number();
            flow.drain = chance_.one_in(4);
        }
        flow.echo = chance_.one_in(4);
        put(flow);
    }

    void transfer() {
        codec::Transfer transfer{.handle = handle()};
        if (!chance_.one_in(4)) transfer.delivery_id = chance_.one_in(8) ? any_number() : next_id_;
        if (!chance_.one_in(4)) transfer.delivery_tag = tag();
        if (chance_.one_in(2)) transfer.message_format = one_of(0U, 0U, 7U);
        if (chance_.one_in(2)) transfer.settled = flip();
        if (chance_.one_in(8)) transfer.state = state();
        transfer.more = chance_.one_in(4);
        transfer.resume = chance_.one_in(8);
        transfer.aborted = chance_.one_in(8);
        if (!transfer.more && transfer.delivery_id) ++next_id_;
        codec::Bytes payload;
        if (!chance_.one_in(4)) {
            payload =
                codec::encode(codec::Message(std::string(one_of(0U, 10U, 300U, 1200U), 'x'))).octets().contiguous();
            if (chance_.one_in(4)) payload = payload.slice(0, chance_.below(16));
        }
        codec::append_frame(to_, channel(), transfer, payload.size());
        to_.append_raw(payload.span());
    }

    void disposition() {
        codec::Disposition disposition{.role = role(), .first = any_number(), .settled = flip(), .state = state()};
        if (chance_.one_in(2)) disposition.last = one_of(0U, 1U, 7U, 1U << 31U, UINT32_MAX) + disposition.first;
        put(disposition);
    }

    std::optional<codec::DeliveryState> state() {
        switch (chance_.below(9)) {
            case 0: return codec::Accepted{};
            case 1: return codec::Rejected{.error = error()};
            case 2: return codec::Released{};
            case 3: return codec::Modified{.delivery_failed = flip()};
            case 4: return codec::Received{any_number(), chance_.below(4)};
            case 5: return codec::Declared{.txn_id = codec::Binary("t")};
            case 6:
                return codec::TransactionalState{
                    .txn_id = codec::Binary("t"),
                    .outcome = flip() ? std::optional<codec::Outcome>(codec::Accepted{}) : std::nullopt};
            default: return std::nullopt;
        }
    }

    template <class T>
    void put(const T& performative) {
        put(performative, channel());
    }
    template <class T>
    void put(const T& performative, std::uint16_t channel) {
        codec::append_frame(to_, channel, performative);
    }

    template <class... Ts>
    std::uint32_t one_of(Ts... choices) {
        const std::array<std::uint32_t, sizeof...(Ts)> all{choices...};
        return all[chance_.below(static_cast<std::uint32_t>(all.size()))];
    }
    bool flip() { return chance_.one_in(2); }
    std::uint16_t channel() { return static_cast<std::uint16_t>(chance_.one_in(4) ? chance_.below(5) : 0); }
    std::uint32_t handle() { return chance_.one_in(16) ? any_number() : chance_.below(4); }
    codec::Role role() { return flip() ? codec::Role::sender : codec::Role::receiver; }
    std::string name() {
        constexpr std::array<std::string_view, 5> names{"link", "a", "b", "refuse", ""};
        return std::string(names[chance_.below(names.size())]);
    }
    codec::DeliveryTag tag() {
        return codec::DeliveryTag(codec::as_bytes(std::string_view("tags").substr(chance_.below(5))));
    }
    std::uint32_t any_number() {
        return chance_.one_in(8) ? static_cast<std::uint32_t>(chance_.number(4)) : chance_.below(8);
    }
    std::optional<codec::ErrorCondition> error() {
        if (!chance_.one_in(4)) return std::nullopt;
        return codec::ErrorCondition{.condition = codec::Symbol(codec::condition::internal_error)};
    }

    Chance& chance_;
    codec::Encoder to_;
    std::uint32_t next_id_ = 0;
};

}  // namespace aprotic::fuzz
