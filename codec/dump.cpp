#include <aprotic/codec/described.hpp>
#include <aprotic/codec/dump.hpp>
#include <aprotic/codec/message_view.hpp>

#include <fmt/format.h>

#include <iterator>
#include <map>

namespace aprotic::codec {

namespace {

/// Writes values as text straight from their octets, so that what is malformed can be shown up to the fault.
class Printer {
public:
    explicit Printer(const DumpOptions& options) : options_(options) {}

    std::string take() { return std::move(out_); }
    std::size_t size() const noexcept { return out_.size(); }
    bool ends_line() const noexcept { return out_.empty() || out_.back() == '\n'; }

    template <class... Args>
    void put(fmt::format_string<Args...> format, Args&&... args) {
        fmt::format_to(std::back_inserter(out_), format, std::forward<Args>(args)...);
    }
    void offset(std::size_t at) { put("{:08x}  ", at); }
    void error(std::size_t at, Errc errc) {
        if (!ends_line()) out_ += '\n';
        offset(at);
        put("! {}", make_error_code(errc).message());
        if (const std::string_view clause = clause_of(errc); !clause.empty()) put(" [{}]", clause);
        out_ += '\n';
    }

    /// `plain`: the type is known from the field, so numbers need no type in front.
    void value(Decoder& from, bool plain = false) {
        const std::optional<Type> type = from.peek();
        if (!type) return;
        switch (*type) {
            case Type::null: from.read_null(); return put("null");
            case Type::boolean: return put("{}", from.read_boolean());
            case Type::ubyte: return number(*type, plain, from.read_ubyte());
            case Type::ushort: return number(*type, plain, from.read_ushort());
            case Type::uint: return number(*type, plain, from.read_uint());
            case Type::ulong: return number(*type, plain, from.read_ulong());
            case Type::byte: return number(*type, plain, from.read_byte());
            case Type::short_: return number(*type, plain, from.read_short());
            case Type::int_: return number(*type, plain, from.read_int());
            case Type::long_: return number(*type, plain, from.read_long());
            case Type::float_: return number(*type, false, from.read_float());
            case Type::double_: return number(*type, false, from.read_double());
            case Type::decimal32: return hex(*type, from.read_decimal32().octets);
            case Type::decimal64: return hex(*type, from.read_decimal64().octets);
            case Type::decimal128: return hex(*type, from.read_decimal128().octets);
            case Type::char_: return put("char:U+{:04X}", static_cast<std::uint32_t>(from.read_char()));
            case Type::timestamp: return number(*type, plain, from.read_timestamp().ms);
            case Type::uuid: return put("uuid:{}", from.read_uuid().to_string());
            case Type::binary: out_ += 'b'; return quoted(from.read_binary(), false);
            case Type::string: return quoted(as_bytes(from.read_string()), true);
            case Type::symbol: out_ += ':'; return symbol(from.read_symbol());
            case Type::list: return items(from, from.enter_list(), '[', ']');
            case Type::map: return map(from);
            case Type::array: return array(from);
            case Type::described: return described(from);
        }
    }

private:
    template <class T>
    void number(Type type, bool plain, T v) {
        if (!plain) put("{}:", name_of(type));
        put("{}", v);
    }
    void hex(Type type, std::span<const std::byte> octets) {
        put("{}:", name_of(type));
        for (const std::byte octet : octets) put("{:02x}", std::to_integer<unsigned>(octet));
    }
    void symbol(std::string_view text) {
        for (const char c : text.substr(0, options_.octets_max)) escaped(c, false);
        if (text.size() > options_.octets_max) put("...({} octets)", text.size());
    }
    void quoted(std::span<const std::byte> octets, bool utf8) {
        out_ += '"';
        for (const char c : as_text(octets).substr(0, options_.octets_max)) escaped(c, utf8);
        out_ += '"';
        if (octets.size() > options_.octets_max) put("...({} octets)", octets.size());
    }
    /// Nothing a peer sends may move a terminal's cursor or end a line of a log.
    void escaped(char c, bool utf8) {
        const auto octet = static_cast<unsigned char>(c);
        if (c == '"' || c == '\\') {
            out_ += '\\';
            out_ += c;
        } else if (octet < 0x20 || octet == 0x7f || (octet >= 0x80 && !utf8)) {
            put("\\x{:02x}", octet);
        } else {
            out_ += c;
        }
    }

    void items(Decoder& from, const Decoder::Scope& scope, char open, char close) {
        if (!from.ok()) return;
        out_ += open;
        for (std::uint32_t i = 0; i < scope.count && from.ok(); ++i) {
            if (i != 0) put(", ");
            value(from);
        }
        if (from.leave(scope)) out_ += close;
    }
    void map(Decoder& from) {
        const Decoder::Scope scope = from.enter_map();
        if (!from.ok()) return;
        out_ += '{';
        for (std::uint32_t i = 0; i < scope.count && from.ok(); i += 2) {
            if (i != 0) put(", ");
            value(from);
            out_ += '=';
            value(from);
        }
        if (from.leave(scope)) out_ += '}';
    }
    void array(Decoder& from) {
        const Decoder::Scope scope = from.enter_array();
        if (!from.ok()) return;
        for (auto rest = scope.descriptors; !rest.empty();) {
            Decoder descriptor(rest.subspan(1), from.limits());
            out_ += '@';
            value(descriptor, true);
            out_ += ' ';
            if (!descriptor.ok()) break;
            rest = descriptor.rest();
        }
        put("{}", name_of(*type_of_code(scope.element_code)));
        items(from, scope, '[', ']');
    }

    void described(Decoder& from) {
        Decoder ahead = from;
        const Descriptor found = ahead.read_descriptor();
        if (ahead.ok()) {
            const std::uint64_t code = found.resolve().value_or(0);
            const CompositeInfo* info = find_composite(code);
            if (info != nullptr && ahead.peek() == Type::list) {
                from = ahead;
                return composite(from, *info);
            }
            if (const std::string_view name = descriptor_name(code); !name.empty()) {
                from = ahead;
                put("{} ", name);
                return value(from);
            }
        }
        if (!from.enter_described()) return;
        out_ += '@';
        value(from, true);
        out_ += ' ';
        value(from);
        if (from.ok()) from.leave_described();
    }

    void composite(Decoder& from, const CompositeInfo& info) {
        put("{}", info.name);
        const Decoder::Scope scope = from.enter_list();
        if (!from.ok()) return;
        if (scope.count != 0) out_ += '{';
        bool first = true;
        for (std::uint32_t i = 0; i < scope.count && from.ok(); ++i) {
            if (from.try_null()) continue;
            if (!first) out_ += ' ';
            first = false;
            if (i < info.fields.size()) {
                put("{}=", info.fields[i].name);
                field(from, info, info.fields[i].name);
            } else {
                put("?=");
                value(from);
            }
        }
        if (from.leave(scope) && scope.count != 0) out_ += '}';
    }

    /// Choices by name where the specification names them.
    void field(Decoder& from, const CompositeInfo& info, std::string_view name) {
        Decoder ahead = from;
        const auto named = [&]<class E>(E v, E last) {
            if (!ahead.ok() || v > last) return value(from, true);
            from = ahead;
            put("{}", name_of(v));
        };
        const std::optional<Type> type = ahead.peek();
        if (name == "role" && type == Type::boolean) return named(static_cast<Role>(ahead.read_boolean()), Role::receiver);
        if (name == "snd-settle-mode" && type == Type::ubyte) {
            return named(static_cast<SenderSettleMode>(ahead.read_ubyte()), SenderSettleMode::mixed);
        }
        if (name == "rcv-settle-mode" && type == Type::ubyte) {
            return named(static_cast<ReceiverSettleMode>(ahead.read_ubyte()), ReceiverSettleMode::second);
        }
        if (name == "durable" && type == Type::uint) {
            return named(static_cast<TerminusDurability>(ahead.read_uint()), TerminusDurability::unsettled_state);
        }
        if (info.code == descriptor::sasl_outcome && type == Type::ubyte) {
            return named(static_cast<SaslCode>(ahead.read_ubyte()), SaslCode::sys_temp);
        }
        if (name == "initial-response" || info.code == descriptor::sasl_response) {
            // It holds the password in the simplest mechanisms: not for logs.
            const std::size_t octets = ahead.read_binary().size();
            if (!ahead.ok()) return value(from, true);
            from = ahead;
            return put("({} octets)", octets);
        }
        value(from, true);
    }

    DumpOptions options_;
    std::string out_;
};

/// Sections of a message, one line each. Offsets count from `base`. Whether all is well.
bool print_message(Printer& to, std::span<const std::byte> input, std::size_t base, std::string_view indent) {
    Decoder from(input);
    while (from.ok() && !from.at_end()) {
        to.offset(base + from.offset());
        to.put("{}", indent);
        to.value(from);
        if (from.ok()) to.put("\n");
    }
    if (!from.ok()) {
        to.error(base + from.error_offset(), from.errc());
        return false;
    }
    const MessageView view(ByteChain(Bytes::copy_of(input)));
    const std::error_code error = view.ok() ? view.check().error() : view.error();
    if (error) to.error(base + view.error_offset(), static_cast<Errc>(error.value()));
    return !error;
}

/// Payloads that are in more than one frame, put together while a stream is read. [2.6.14]
using Deliveries = std::map<std::pair<std::uint16_t, std::uint32_t>, ByteChain>;

class StreamPrinter {
public:
    explicit StreamPrinter(const DumpOptions& options) : options_(options), to_(options) {}

    StreamDump run(std::span<const std::byte> input) {
        while (at_ < input.size() && step(input.subspan(at_))) {
        }
        result_.text = to_.take();
        return std::move(result_);
    }

    /// False when nothing more can be read.
    bool step(std::span<const std::byte> rest) {
        const Result<ProtocolHeader> header = ProtocolHeader::parse(rest);
        if (header.error() == Errc::incomplete) return incomplete("protocol header", rest.size(), ProtocolHeader::size);
        if (header) {
            to_.offset(at_);
            to_.put("AMQP header id={} version={}.{}.{}\n", header->id, header->major, header->minor, header->revision);
            at_ += ProtocolHeader::size;
            return true;
        }
        const FrameParser::Step found = FrameParser(0xffff'ffff).next(rest);
        if (found.status == FrameParser::Status::need_more) {
            return incomplete("frame", rest.size(), found.size);
        }
        if (found.status == FrameParser::Status::error) {
            result_.ok = false;
            if (found.size != 0) broken_body(found.frame);
            // The parser judged the whole body; where the fault is, printing has shown if it could.
            if (!told_) to_.error(at_, static_cast<Errc>(found.error.value()));
            at_ += found.size;
            return found.size != 0;
        }
        frame(found.frame);
        at_ += found.size;
        return true;
    }

    bool ok() const noexcept { return result_.ok; }

private:
    bool incomplete(std::string_view what, std::size_t octets, std::size_t wanted) {
        result_.left = octets;
        to_.offset(at_);
        to_.put("incomplete {}: {} of {} octets\n", what, octets, wanted);
        return false;
    }
    void head(const FrameView& frame) {
        told_ = false;
        ++result_.frames;
        to_.offset(at_);
        if (frame.type == FrameType::sasl) {
            to_.put("sasl ");
        } else {
            to_.put("channel {} ", frame.channel);
        }
    }
    std::size_t offset_of(const FrameView& frame, std::span<const std::byte> part) const {
        return at_ + static_cast<std::size_t>(part.data() - frame.frame.data());
    }

    void broken_body(const FrameView& frame) {
        head(frame);
        Decoder from(frame.body);
        to_.value(from);
        if (from.ok()) return;
        to_.error(offset_of(frame, frame.body) + from.error_offset(), from.errc());
        told_ = true;
    }

    void frame(const FrameView& frame) {
        head(frame);
        if (frame.empty()) {
            to_.put("empty frame\n");
            return;
        }
        const std::size_t base = offset_of(frame, frame.performative);
        Decoder from(frame.performative);
        to_.value(from);
        if (!from.ok()) {
            result_.ok = false;
            return to_.error(base + from.error_offset(), from.errc());
        }
        if (frame.is(descriptor::transfer)) to_.put(" payload={}", frame.payload.size());
        to_.put("\n");
        // It reads as a value; now as what it claims to be.
        Decoder strict(frame.performative);
        bool sound = false;
        if (frame.type == FrameType::sasl) {
            SaslFrame body;
            sound = decode(strict, body);
        } else {
            Performative body;
            sound = decode(strict, body);
            if (sound && frame.is(descriptor::transfer)) payload(frame, std::get<Transfer>(body));
        }
        if (sound) return;
        result_.ok = false;
        to_.error(base + strict.error_offset(), strict.errc());
    }

    void payload(const FrameView& frame, const Transfer& transfer) {
        if (!options_.messages) return;
        const auto key = std::pair(frame.channel, transfer.handle);
        const auto begun = deliveries_.find(key);
        if (transfer.aborted) {
            deliveries_.erase(key);
        } else if (transfer.more || begun != deliveries_.end()) {
            ByteChain& delivery = deliveries_[key];
            delivery.append(Bytes::copy_of(frame.payload));
            if (transfer.more) return;
            const Bytes message = delivery.contiguous();
            deliveries_.erase(key);
            to_.offset(at_);
            to_.put("  message of {} octets, offsets within it:\n", message.size());
            if (!print_message(to_, message.span(), 0, "    ")) result_.ok = false;
        } else if (transfer.message_format.value_or(0) == protocol::message_format && transfer.delivery_id) {
            if (!print_message(to_, frame.payload, offset_of(frame, frame.payload), "  ")) result_.ok = false;
        }
    }

    DumpOptions options_;
    Printer to_;
    StreamDump result_;
    Deliveries deliveries_;
    std::size_t at_ = 0;
    bool told_ = false;
};

constexpr DumpOptions log_options{.octets_max = 128, .messages = false};

std::string line_of(std::span<const std::byte> input) {
    Printer to(log_options);
    Decoder from(input);
    to.value(from);
    if (!from.ok()) to.put(" ! {} at octet {}", from.error().message(), from.error_offset());
    return to.take();
}

template <class T>
std::string line_of_encoded(const T& v) {
    Encoder to;
    encode(to, v);
    if (!to.ok()) return fmt::format("! {}", to.error().message());
    return line_of(to.written());
}

}  // namespace

std::string to_string(const Value& value) { return line_of_encoded(value); }
std::string to_string(const Map& map) { return line_of_encoded(map); }
std::string to_string(const Performative& performative) { return line_of_encoded(performative); }
std::string to_string(const SaslFrame& frame) { return line_of_encoded(frame); }
std::string to_string(const ErrorCondition& error) { return line_of_encoded(error); }
std::string to_string(const DeliveryState& state) { return line_of_encoded(state); }

std::string to_string(const Message& message) {
    const Result<EncodedMessage> encoded = try_encode(message);
    if (!encoded) return fmt::format("! {}", encoded.error().message());
    const Bytes octets = encoded->octets().contiguous();
    std::string text;
    for (Decoder from(octets.span()); from.ok() && !from.at_end();) {
        if (!text.empty()) text += ' ';
        text += line_of(from.read_raw());
    }
    return text;
}

std::string to_string(const FrameView& frame) {
    std::string text = frame.type == FrameType::sasl ? "sasl " : fmt::format("channel {} ", frame.channel);
    if (frame.empty()) return text + "empty frame";
    text += line_of(frame.performative.empty() ? frame.body : frame.performative);
    if (frame.is(descriptor::transfer)) text += fmt::format(" payload={}", frame.payload.size());
    return text;
}

std::string dump_value(std::span<const std::byte> input, const DumpOptions& options) {
    Printer to(options);
    Decoder from(input);
    do {
        to.offset(from.offset());
        to.value(from);
        if (from.ok()) to.put("\n");
    } while (from.ok() && !from.at_end());
    if (!from.ok()) to.error(from.error_offset(), from.errc());
    return to.take();
}

std::string dump_message(std::span<const std::byte> input, const DumpOptions& options) {
    Printer to(options);
    print_message(to, input, 0, "");
    return to.take();
}

std::string dump_frame(std::span<const std::byte> input, const DumpOptions& options) { return dump_stream(input, options).text; }

StreamDump dump_stream(std::span<const std::byte> input, const DumpOptions& options) { return StreamPrinter(options).run(input); }

}  // namespace aprotic::codec
