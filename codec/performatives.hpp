#pragma once

#include <aprotic/codec/delivery_state.hpp>
#include <aprotic/codec/terminus.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace aprotic::codec {

/// Negotiates a connection. [2.7.1]
struct Open {
    std::string container_id{};
    std::optional<std::string> hostname{};
    std::uint32_t max_frame_size = protocol::frame_size_max_default;  ///< octets
    std::uint16_t channel_max = protocol::channel_max_default;
    std::optional<Milliseconds> idle_time_out{};
    std::vector<Symbol> outgoing_locales{};
    std::vector<Symbol> incoming_locales{};
    std::vector<Symbol> offered_capabilities{};
    std::vector<Symbol> desired_capabilities{};
    Map properties{};

    friend bool operator==(const Open&, const Open&) = default;
};
template <>
struct Table<Open> {
    static constexpr std::string_view name = "open";
    static constexpr std::uint64_t code = descriptor::open;
    static constexpr auto fields =
        std::tuple{mandatory("container-id", &Open::container_id),
                   field("hostname", &Open::hostname),
                   field("max-frame-size", &Open::max_frame_size, protocol::frame_size_max_default),
                   field("channel-max", &Open::channel_max, protocol::channel_max_default),
                   field("idle-time-out", &Open::idle_time_out),
                   field("outgoing-locales", &Open::outgoing_locales),
                   field("incoming-locales", &Open::incoming_locales),
                   field("offered-capabilities", &Open::offered_capabilities),
                   field("desired-capabilities", &Open::desired_capabilities),
                   field("properties", &Open::properties)};
};
APROTIC_COMPOSITE(Open);

/// Begins a session on a channel. [2.7.2]
struct Begin {
    std::optional<std::uint16_t> remote_channel{};
    std::uint32_t next_outgoing_id = 0;
    std::uint32_t incoming_window = 0;  ///< transfer frames
    std::uint32_t outgoing_window = 0;  ///< transfer frames
    std::uint32_t handle_max = protocol::handle_max_default;
    std::vector<Symbol> offered_capabilities{};
    std::vector<Symbol> desired_capabilities{};
    Map properties{};

    friend bool operator==(const Begin&, const Begin&) = default;
};
template <>
struct Table<Begin> {
    static constexpr std::string_view name = "begin";
    static constexpr std::uint64_t code = descriptor::begin;
    static constexpr auto fields = std::tuple{field("remote-channel", &Begin::remote_channel),
                                              mandatory("next-outgoing-id", &Begin::next_outgoing_id),
                                              mandatory("incoming-window", &Begin::incoming_window),
                                              mandatory("outgoing-window", &Begin::outgoing_window),
                                              field("handle-max", &Begin::handle_max, protocol::handle_max_default),
                                              field("offered-capabilities", &Begin::offered_capabilities),
                                              field("desired-capabilities", &Begin::desired_capabilities),
                                              field("properties", &Begin::properties)};
};
APROTIC_COMPOSITE(Begin);

/// Attaches a link to a session. [2.7.3]
struct Attach {
    std::string name{};
    std::uint32_t handle = 0;
    Role role = Role::sender;
    SenderSettleMode snd_settle_mode = SenderSettleMode::mixed;
    ReceiverSettleMode rcv_settle_mode = ReceiverSettleMode::first;
    std::optional<Source> source{};
    std::optional<AttachTarget> target{};
    std::optional<Map> unsettled{};  ///< binary tag → delivery state or null; null and empty differ [2.6.3-g]
    bool incomplete_unsettled = false;
    std::optional<std::uint32_t> initial_delivery_count{};
    std::optional<std::uint64_t> max_message_size{};  ///< octets; 0 or absent: no limit
    std::vector<Symbol> offered_capabilities{};
    std::vector<Symbol> desired_capabilities{};
    Map properties{};

    friend bool operator==(const Attach&, const Attach&) = default;
};
template <>
struct Table<Attach> {
    static constexpr std::string_view name = "attach";
    static constexpr std::uint64_t code = descriptor::attach;
    static constexpr auto fields =
        std::tuple{mandatory("name", &Attach::name),
                   mandatory("handle", &Attach::handle),
                   mandatory("role", &Attach::role),
                   field("snd-settle-mode", &Attach::snd_settle_mode, SenderSettleMode::mixed),
                   field("rcv-settle-mode", &Attach::rcv_settle_mode, ReceiverSettleMode::first),
                   field("source", &Attach::source),
                   field("target", &Attach::target),
                   field("unsettled", &Attach::unsettled),
                   field("incomplete-unsettled", &Attach::incomplete_unsettled, false),
                   field("initial-delivery-count", &Attach::initial_delivery_count),
                   field("max-message-size", &Attach::max_message_size),
                   field("offered-capabilities", &Attach::offered_capabilities),
                   field("desired-capabilities", &Attach::desired_capabilities),
                   field("properties", &Attach::properties)};
};
APROTIC_COMPOSITE(Attach);

/// Updates session windows, and with a handle the credit of a link. [2.7.4]
struct Flow {
    std::optional<std::uint32_t> next_incoming_id{};
    std::uint32_t incoming_window = 0;  ///< transfer frames
    std::uint32_t next_outgoing_id = 0;
    std::uint32_t outgoing_window = 0;  ///< transfer frames
    std::optional<std::uint32_t> handle{};
    std::optional<std::uint32_t> delivery_count{};
    std::optional<std::uint32_t> link_credit{};  ///< deliveries
    std::optional<std::uint32_t> available{};    ///< deliveries
    bool drain = false;
    bool echo = false;
    Map properties{};

    friend bool operator==(const Flow&, const Flow&) = default;
};
template <>
struct Table<Flow> {
    static constexpr std::string_view name = "flow";
    static constexpr std::uint64_t code = descriptor::flow;
    static constexpr auto fields = std::tuple{field("next-incoming-id", &Flow::next_incoming_id),
                                              mandatory("incoming-window", &Flow::incoming_window),
                                              mandatory("next-outgoing-id", &Flow::next_outgoing_id),
                                              mandatory("outgoing-window", &Flow::outgoing_window),
                                              field("handle", &Flow::handle),
                                              field("delivery-count", &Flow::delivery_count),
                                              field("link-credit", &Flow::link_credit),
                                              field("available", &Flow::available),
                                              field("drain", &Flow::drain, false),
                                              field("echo", &Flow::echo, false),
                                              field("properties", &Flow::properties)};
};
APROTIC_COMPOSITE(Flow);

/// Carries a message or a part of one, as the payload behind it. [2.7.5]
struct Transfer {
    std::uint32_t handle = 0;
    std::optional<std::uint32_t> delivery_id{};
    std::optional<DeliveryTag> delivery_tag{};
    std::optional<std::uint32_t> message_format{};
    std::optional<bool> settled{};
    bool more = false;
    std::optional<ReceiverSettleMode> rcv_settle_mode{};
    std::optional<DeliveryState> state{};
    bool resume = false;
    bool aborted = false;
    bool batchable = false;

    friend bool operator==(const Transfer&, const Transfer&) = default;
};
template <>
struct Table<Transfer> {
    static constexpr std::string_view name = "transfer";
    static constexpr std::uint64_t code = descriptor::transfer;
    static constexpr auto fields = std::tuple{mandatory("handle", &Transfer::handle),
                                              field("delivery-id", &Transfer::delivery_id),
                                              field("delivery-tag", &Transfer::delivery_tag),
                                              field("message-format", &Transfer::message_format),
                                              field("settled", &Transfer::settled),
                                              field("more", &Transfer::more, false),
                                              field("rcv-settle-mode", &Transfer::rcv_settle_mode),
                                              field("state", &Transfer::state),
                                              field("resume", &Transfer::resume, false),
                                              field("aborted", &Transfer::aborted, false),
                                              field("batchable", &Transfer::batchable, false)};
};
APROTIC_COMPOSITE(Transfer);

/// Tells state and settlement of a range of deliveries. [2.7.6]
struct Disposition {
    Role role = Role::sender;  ///< of the side that sends the frame
    std::uint32_t first = 0;
    std::optional<std::uint32_t> last{};  ///< absent: the same as first
    bool settled = false;
    std::optional<DeliveryState> state{};
    bool batchable = false;

    friend bool operator==(const Disposition&, const Disposition&) = default;
};
template <>
struct Table<Disposition> {
    static constexpr std::string_view name = "disposition";
    static constexpr std::uint64_t code = descriptor::disposition;
    static constexpr auto fields =
        std::tuple{mandatory("role", &Disposition::role), mandatory("first", &Disposition::first),
                   field("last", &Disposition::last),     field("settled", &Disposition::settled, false),
                   field("state", &Disposition::state),   field("batchable", &Disposition::batchable, false)};
};
APROTIC_COMPOSITE(Disposition);

/// Detaches a link from its session, and closes it if `closed`. [2.7.7]
struct Detach {
    std::uint32_t handle = 0;
    bool closed = false;
    std::optional<ErrorCondition> error{};

    friend bool operator==(const Detach&, const Detach&) = default;
};
template <>
struct Table<Detach> {
    static constexpr std::string_view name = "detach";
    static constexpr std::uint64_t code = descriptor::detach;
    static constexpr auto fields = std::tuple{mandatory("handle", &Detach::handle),
                                              field("closed", &Detach::closed, false), field("error", &Detach::error)};
};
APROTIC_COMPOSITE(Detach);

/// Ends a session. [2.7.8]
struct End {
    std::optional<ErrorCondition> error{};

    friend bool operator==(const End&, const End&) = default;
};
template <>
struct Table<End> {
    static constexpr std::string_view name = "end";
    static constexpr std::uint64_t code = descriptor::end;
    static constexpr auto fields = std::tuple{field("error", &End::error)};
};
APROTIC_COMPOSITE(End);

/// Closes a connection. [2.7.9]
struct Close {
    std::optional<ErrorCondition> error{};

    friend bool operator==(const Close&, const Close&) = default;
};
template <>
struct Table<Close> {
    static constexpr std::string_view name = "close";
    static constexpr std::uint64_t code = descriptor::close;
    static constexpr auto fields = std::tuple{field("error", &Close::error)};
};
APROTIC_COMPOSITE(Close);

/// The body of an AMQP frame. Large because of Attach: on hot paths decode the one type that the frame's descriptor
/// names.
using Performative = std::variant<Open, Begin, Attach, Flow, Transfer, Disposition, Detach, End, Close>;

void encode(Encoder& to, const Performative& performative);
/// Another described type is `unknown_performative`.
bool decode(Decoder& from, Performative& performative);

/// "open", "transfer", …
std::string_view name_of(const Performative& performative) noexcept;

}  // namespace aprotic::codec
