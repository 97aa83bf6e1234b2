// The one translation unit that instantiates the field tables of the specification's types.
#include <aprotic/codec/delivery_state.hpp>
#include <aprotic/codec/described_codec.hpp>
#include <aprotic/codec/error_condition.hpp>
#include <aprotic/codec/performatives.hpp>
#include <aprotic/codec/reading/plain_fields.hpp>
#include <aprotic/codec/sasl_frames.hpp>
#include <aprotic/codec/sections.hpp>
#include <aprotic/codec/terminus.hpp>
#include <aprotic/codec/transactions.hpp>
#include <aprotic/codec/writing/plain_writer.hpp>

#include <algorithm>
#include <type_traits>

namespace aprotic::codec {

// Names of the choices

std::string_view name_of(Role v) noexcept { return v == Role::sender ? "sender" : "receiver"; }
std::string_view name_of(SenderSettleMode v) noexcept {
    constexpr std::array<std::string_view, 3> names{"unsettled", "settled", "mixed"};
    return names[static_cast<std::size_t>(v)];
}
std::string_view name_of(ReceiverSettleMode v) noexcept { return v == ReceiverSettleMode::first ? "first" : "second"; }
std::string_view name_of(TerminusDurability v) noexcept {
    constexpr std::array<std::string_view, 3> names{"none", "configuration", "unsettled-state"};
    return names[static_cast<std::size_t>(v)];
}
std::string_view name_of(TerminusExpiryPolicy v) noexcept {
    constexpr std::array<std::string_view, 4> names{"link-detach", "session-end", "connection-close", "never"};
    return names[static_cast<std::size_t>(v)];
}
std::string_view name_of(StdDistMode v) noexcept { return v == StdDistMode::move ? "move" : "copy"; }
std::string_view name_of(SaslCode v) noexcept {
    constexpr std::array<std::string_view, 5> names{"ok", "auth", "sys", "sys-perm", "sys-temp"};
    return names[static_cast<std::size_t>(v)];
}

// Members that need more than one type's reading

bool FieldCodec<std::vector<Symbol>>::decode(Decoder& from, std::vector<Symbol>& v) {
    v.clear();
    switch (from.peek().value_or(Type::null)) {
        case Type::symbol: v.emplace_back(from.read_symbol()); return from.ok();
        case Type::array: {
            const Decoder::Scope scope = from.enter_array();
            if (!from.ok()) return false;
            // An empty array is as good as none, whatever its elements would have been. [1.4-e]
            if (scope.count != 0 && (type_of_code(scope.element_code) != Type::symbol || !scope.descriptors.empty())) {
                return from.fail_last(Errc::multiple_element_type);
            }
            for (std::uint32_t i = 0; i < scope.count && from.ok(); ++i) v.emplace_back(from.read_symbol());
            return from.leave(scope);
        }
        case Type::list: return from.fail(Errc::multiple_as_list);
        default: return from.fail(Errc::wrong_type);
    }
}

void FieldCodec<MessageId>::encode(Encoder& to, const MessageId& v) {
    struct Writer {
        Encoder& to;
        void operator()(std::uint64_t id) const { to.write_ulong(id); }
        void operator()(const Uuid& id) const { to.write_uuid(id); }
        void operator()(const Binary& id) const { to.write_binary(id.span()); }
        void operator()(const std::string& id) const { to.write_string(id); }
    };
    std::visit(Writer{to}, v);
}

bool FieldCodec<MessageId>::decode(Decoder& from, MessageId& v) {
    switch (from.peek().value_or(Type::null)) {
        case Type::ulong: v = from.read_ulong(); break;
        case Type::uuid: v = from.read_uuid(); break;
        case Type::binary: v = Binary(from.read_binary()); break;
        case Type::string: v = std::string(from.read_string()); break;
        default: return from.fail(Errc::wrong_type);
    }
    return from.ok();
}

namespace {

/// The descriptor of the next value, not consumed; 0 when it is none that the specification knows, empty when there is
/// none.
std::optional<std::uint64_t> peek_descriptor(const Decoder& from) noexcept {
    if (const std::optional<std::uint8_t> code = from.peek_short_descriptor()) return *code;
    Decoder ahead = from;
    const Descriptor found = ahead.read_descriptor();
    if (!ahead.ok()) return std::nullopt;
    return found.resolve().value_or(0);
}

}  // namespace

/// A state that is an extension of somebody's reads as no state at all: see DeliveryState.
template <class States>
struct ExtensibleState {
    static constexpr std::string_view type = "*";
    static bool absent(const std::optional<States>& v) noexcept { return !v.has_value(); }
    static void encode(Encoder& to, const std::optional<States>& v) { FieldCodec<States>::encode(to, *v); }
    static bool decode(Decoder& from, std::optional<States>& v) {
        const std::optional<std::uint64_t> code = peek_descriptor(from);
        if (code && descriptor_name(*code).empty()) {
            from.skip_checked();
            return from.ok();
        }
        return FieldCodec<States>::decode(from, v.emplace());
    }
};
template <>
struct FieldCodec<std::optional<DeliveryState>> : ExtensibleState<DeliveryState> {};
template <>
struct FieldCodec<std::optional<Outcome>> : ExtensibleState<Outcome> {};

// Every composite

#define APROTIC_EVERY_COMPOSITE(X)                                                                                   \
    X(Open)                                                                                                          \
    X(Begin)                                                                                                         \
    X(Attach) X(Flow) X(Transfer) X(Disposition) X(Detach) X(End) X(Close) X(ErrorCondition) X(Received) X(Accepted) \
        X(Rejected) X(Released) X(Modified) X(Source) X(Target) X(DeleteOnClose) X(DeleteOnNoLinks)                  \
            X(DeleteOnNoMessages) X(DeleteOnNoLinksOrMessages) X(Coordinator) X(Declare) X(Discharge) X(Declared)    \
                X(TransactionalState) X(SaslMechanisms) X(SaslInit) X(SaslChallenge) X(SaslResponse) X(SaslOutcome)  \
                    X(Header) X(Properties)

/// The frames of which there may be one for each message.
template <class T>
inline constexpr bool is_frequent =
    std::is_same_v<T, Transfer> || std::is_same_v<T, Disposition> || std::is_same_v<T, Flow>;

template <class T>
void encode_either_way(Encoder& to, const T& composite) {
    if constexpr (is_frequent<T> || std::is_same_v<T, Header> || std::is_same_v<T, Properties>) {
        if (PlainWriter::write(to, composite)) return;
    }
    encode_composite(to, composite);
}

template <class T>
bool decode_either_way(Decoder& from, T& composite) {
    if constexpr (is_frequent<T>) {
        const std::size_t size = from.ok() ? PlainFields::read(from.rest(), composite) : 0;
        if (size != 0) {
            from.step_over(size);
            return true;
        }
    }
    return decode_composite(from, composite);
}

#define APROTIC_DEFINE(T)                                                              \
    static_assert(Composite<T>, #T ": its members and the rows of its table differ");  \
    void encode(Encoder& to, const T& composite) { encode_either_way(to, composite); } \
    bool decode(Decoder& from, T& composite) { return decode_either_way(from, composite); }
APROTIC_EVERY_COMPOSITE(APROTIC_DEFINE)
#undef APROTIC_DEFINE

bool read_plain_transfer(std::span<const std::byte> performative, Transfer& into) {
    const std::size_t size = PlainFields::read_new(performative, into);
    return size != 0 && size == performative.size();
}

// Variants of them. They go through the functions above, so that each table is compiled once.

namespace {

template <class... Ts>
void encode_any(Encoder& to, const std::variant<Ts...>& v) {
    std::visit([&to](const auto& composite) { encode(to, composite); }, v);
}

template <class... Ts>
bool decode_any(Decoder& from, std::variant<Ts...>& v, Errc other) {
    std::optional<std::uint64_t> wanted = from.peek_short_descriptor();
    if (!wanted) {
        Decoder ahead = from;
        const Descriptor found = ahead.read_descriptor();
        if (!ahead.ok()) return from.fail(ahead.errc());
        wanted = found.resolve();
    }
    const bool read = wanted && ((*wanted == Table<Ts>::code && decode(from, v.template emplace<Ts>())) || ...);
    if (read || !from.ok()) return read;
    return from.fail(other == Errc::unknown_descriptor && wanted && !descriptor_name(*wanted).empty()
                         ? Errc::wrong_archetype
                         : other);
}

template <class... Ts>
std::string_view name_of_any(const std::variant<Ts...>& v) noexcept {
    return std::visit([]<class T>(const T&) { return Table<T>::name; }, v);
}

}  // namespace

void encode(Encoder& to, const DeliveryState& state) { encode_any(to, state); }
void encode(Encoder& to, const Outcome& outcome) { encode_any(to, outcome); }
void encode(Encoder& to, const AttachTarget& target) { encode_any(to, target); }
void encode(Encoder& to, const Performative& performative) { encode_any(to, performative); }
void encode(Encoder& to, const SaslFrame& frame) { encode_any(to, frame); }
bool decode(Decoder& from, DeliveryState& state) { return decode_any(from, state, Errc::unknown_descriptor); }
bool decode(Decoder& from, Outcome& outcome) { return decode_any(from, outcome, Errc::unknown_descriptor); }
bool decode(Decoder& from, AttachTarget& target) { return decode_any(from, target, Errc::unknown_descriptor); }
bool decode(Decoder& from, Performative& performative) {
    return decode_any(from, performative, Errc::unknown_performative);
}
bool decode(Decoder& from, SaslFrame& frame) { return decode_any(from, frame, Errc::unknown_performative); }
std::string_view name_of(const DeliveryState& state) noexcept { return name_of_any(state); }
std::string_view name_of(const Performative& performative) noexcept { return name_of_any(performative); }
std::string_view name_of(const SaslFrame& frame) noexcept { return name_of_any(frame); }

bool is_terminal(const DeliveryState& state) noexcept {
    if (const auto* in_transaction = std::get_if<TransactionalState>(&state))
        return in_transaction->outcome.has_value();
    return !std::holds_alternative<Received>(state);
}

Value to_value(const DeliveryState& state) {
    Result<Value> value = decode_value(encode_as(state).span());
    APROTIC_ASSERT(value);
    return *std::move(value);
}

Result<DeliveryState> delivery_state_of(const Value& value) {
    Encoder to;
    encode(to, value);
    if (!to.ok()) return to.error();
    return decode_as<DeliveryState>(to.written());
}

// The tables at run time

namespace {

template <class T>
std::string text_of(const T& v) {
    if constexpr (std::is_same_v<T, bool>) {
        return v ? "true" : "false";
    } else if constexpr (std::is_enum_v<T>) {
        return std::string(name_of(v));
    } else {
        return std::to_string(v);
    }
}

template <class T, class Member, class Default>
FieldInfo info_of(const FieldRow<T, Member, Default>& row) {
    FieldInfo info{
        row.name, FieldCodec<Member>::type, row.is_mandatory, std::is_same_v<Member, std::vector<Symbol>>, {}};
    if constexpr (!std::is_same_v<Default, NoDefault>) info.default_text = text_of(row.fallback);
    return info;
}

template <class T>
CompositeInfo info_of() {
    static const auto fields = std::apply(
        [](const auto&... row) { return std::array<FieldInfo, sizeof...(row)>{info_of(row)...}; }, Table<T>::fields);
    return {Table<T>::name, Table<T>::code, fields};
}

struct SymbolicDescriptor {
    std::uint64_t code;
    std::string_view symbol;
};
// The type's name stands between the first colon and the second.
constexpr std::array symbols{
    SymbolicDescriptor{descriptor::open, "amqp:open:list"},
    SymbolicDescriptor{descriptor::begin, "amqp:begin:list"},
    SymbolicDescriptor{descriptor::attach, "amqp:attach:list"},
    SymbolicDescriptor{descriptor::flow, "amqp:flow:list"},
    SymbolicDescriptor{descriptor::transfer, "amqp:transfer:list"},
    SymbolicDescriptor{descriptor::disposition, "amqp:disposition:list"},
    SymbolicDescriptor{descriptor::detach, "amqp:detach:list"},
    SymbolicDescriptor{descriptor::end, "amqp:end:list"},
    SymbolicDescriptor{descriptor::close, "amqp:close:list"},
    SymbolicDescriptor{descriptor::error, "amqp:error:list"},
    SymbolicDescriptor{descriptor::received, "amqp:received:list"},
    SymbolicDescriptor{descriptor::accepted, "amqp:accepted:list"},
    SymbolicDescriptor{descriptor::rejected, "amqp:rejected:list"},
    SymbolicDescriptor{descriptor::released, "amqp:released:list"},
    SymbolicDescriptor{descriptor::modified, "amqp:modified:list"},
    SymbolicDescriptor{descriptor::source, "amqp:source:list"},
    SymbolicDescriptor{descriptor::target, "amqp:target:list"},
    SymbolicDescriptor{descriptor::delete_on_close, "amqp:delete-on-close:list"},
    SymbolicDescriptor{descriptor::delete_on_no_links, "amqp:delete-on-no-links:list"},
    SymbolicDescriptor{descriptor::delete_on_no_messages, "amqp:delete-on-no-messages:list"},
    SymbolicDescriptor{descriptor::delete_on_no_links_or_messages, "amqp:delete-on-no-links-or-messages:list"},
    SymbolicDescriptor{descriptor::coordinator, "amqp:coordinator:list"},
    SymbolicDescriptor{descriptor::declare, "amqp:declare:list"},
    SymbolicDescriptor{descriptor::discharge, "amqp:discharge:list"},
    SymbolicDescriptor{descriptor::declared, "amqp:declared:list"},
    SymbolicDescriptor{descriptor::transactional_state, "amqp:transactional-state:list"},
    SymbolicDescriptor{descriptor::sasl_mechanisms, "amqp:sasl-mechanisms:list"},
    SymbolicDescriptor{descriptor::sasl_init, "amqp:sasl-init:list"},
    SymbolicDescriptor{descriptor::sasl_challenge, "amqp:sasl-challenge:list"},
    SymbolicDescriptor{descriptor::sasl_response, "amqp:sasl-response:list"},
    SymbolicDescriptor{descriptor::sasl_outcome, "amqp:sasl-outcome:list"},
    SymbolicDescriptor{descriptor::header, "amqp:header:list"},
    SymbolicDescriptor{descriptor::delivery_annotations, "amqp:delivery-annotations:map"},
    SymbolicDescriptor{descriptor::message_annotations, "amqp:message-annotations:map"},
    SymbolicDescriptor{descriptor::properties, "amqp:properties:list"},
    SymbolicDescriptor{descriptor::application_properties, "amqp:application-properties:map"},
    SymbolicDescriptor{descriptor::data, "amqp:data:binary"},
    SymbolicDescriptor{descriptor::amqp_sequence, "amqp:amqp-sequence:list"},
    SymbolicDescriptor{descriptor::amqp_value, "amqp:amqp-value:*"},
    SymbolicDescriptor{descriptor::footer, "amqp:footer:map"},
};

struct Names {
    std::string_view symbol, name;
};
/// By code: asked for every delivery state that is read.
constexpr auto names_by_code = [] {
    std::array<Names, descriptor::footer + 1> names{};
    for (const SymbolicDescriptor& known : symbols) {
        const std::size_t start = known.symbol.find(':') + 1;
        names[known.code] = {known.symbol, known.symbol.substr(start, known.symbol.find(':', start) - start)};
    }
    return names;
}();

}  // namespace

std::span<const CompositeInfo> composites() {
    static const std::vector<CompositeInfo> all = [] {
#define APROTIC_INFO(T) info_of<T>(),
        std::vector<CompositeInfo> infos{APROTIC_EVERY_COMPOSITE(APROTIC_INFO)};
#undef APROTIC_INFO
        std::sort(infos.begin(), infos.end(), [](const auto& a, const auto& b) { return a.code < b.code; });
        return infos;
    }();
    return all;
}

const CompositeInfo* find_composite(std::uint64_t code) noexcept {
    for (const CompositeInfo& info : composites()) {
        if (info.code == code) return &info;
    }
    return nullptr;
}

std::string_view descriptor_symbol(std::uint64_t code) noexcept {
    return code < names_by_code.size() ? names_by_code[code].symbol : std::string_view();
}

std::string_view descriptor_name(std::uint64_t code) noexcept {
    return code < names_by_code.size() ? names_by_code[code].name : std::string_view();
}

std::optional<std::uint64_t> descriptor_code(std::string_view symbol) noexcept {
    for (const SymbolicDescriptor& known : symbols) {
        if (known.symbol == symbol) return known.code;
    }
    return std::nullopt;
}

}  // namespace aprotic::codec
