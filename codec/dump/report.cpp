#include <aprotic/codec/described.hpp>
#include <aprotic/codec/dump/json_printer.hpp>
#include <aprotic/codec/dump/report.hpp>
#include <aprotic/codec/dump/text_printer.hpp>
#include <aprotic/codec/json.hpp>

namespace aprotic::codec {

namespace {

constexpr std::string_view layer_of(std::uint8_t protocol_id) noexcept {
    switch (protocol_id) {
        case static_cast<std::uint8_t>(ProtocolId::amqp): return "amqp";
        case static_cast<std::uint8_t>(ProtocolId::tls): return "tls";
        case static_cast<std::uint8_t>(ProtocolId::sasl): return "sasl";
        default: return {};
    }
}

class TextReport final : public Report {
public:
    explicit TextReport(const DumpOptions& options) : to_(options.octets_max) {}

    void header(std::uint64_t at, const ProtocolHeader& header) override {
        to_.put("{:08x}  AMQP header id={} version={}.{}.{}\n", at, header.id, header.major, header.minor,
                header.revision);
    }
    void frame(std::uint64_t at, const FrameView& frame, Decoder& body) override {
        to_.put("{:08x}  ", at);
        if (frame.type == FrameType::sasl) {
            to_.put("sasl ");
        } else {
            to_.put("channel {} ", frame.channel);
        }
        if (frame.empty()) {
            to_.put("empty frame");
        } else {
            to_.value(body);
            if (body.ok() && frame.is(descriptor::transfer)) to_.put(" payload={}", frame.payload.size());
        }
        to_.put("\n");
    }
    void value(std::uint64_t at, Decoder& from, bool inner) override {
        const std::size_t start = to_.text().size();
        to_.put("{:08x}  {}", at, inner ? "  " : "");
        const std::size_t head = to_.text().size();
        to_.value(from);
        if (to_.text().size() == head && !from.ok()) {
            to_.truncate(start);
        } else {
            to_.put("\n");
        }
    }
    void delivery(std::uint64_t at, std::size_t octets) override {
        to_.put("{:08x}    message of {} octets, offsets within it:\n", at, octets);
    }
    void fault(std::uint64_t at, Errc fault) override {
        to_.put("{:08x}  ! {}", at, make_error_code(fault).message());
        if (const std::string_view clause = clause_of(fault); !clause.empty()) to_.put(" [{}]", clause);
        to_.put("\n");
    }
    void incomplete(std::uint64_t at, std::string_view what, std::size_t octets, std::size_t wanted) override {
        to_.put("{:08x}  ! incomplete {}: {} of {} octets\n", at, what, octets, wanted);
    }
    void missing(std::uint64_t at, std::uint64_t octets) override {
        to_.put("{:08x}  ! {} octets are missing\n", at, octets);
    }
    void skipped(std::uint64_t at, std::uint64_t octets) override {
        to_.put("{:08x}  ! {} octets skipped in search of a frame\n", at, octets);
    }
    std::string take() override { return to_.take(); }

private:
    TextPrinter to_;
};

/// One object per line. "kind" says which of the members there are.
class JsonReport final : public Report {
public:
    void header(std::uint64_t at, const ProtocolHeader& header) override {
        begin(at, "header");
        number("id", header.id);
        if (const std::string_view layer = layer_of(header.id); !layer.empty()) text("protocol", layer);
        text("version", fmt::format("{}.{}.{}", header.major, header.minor, header.revision));
        end();
    }
    void frame(std::uint64_t at, const FrameView& frame, Decoder& body) override {
        begin(at, "frame");
        text("type", frame.type == FrameType::sasl ? "sasl" : "amqp");
        if (frame.type == FrameType::amqp) number("channel", frame.channel);
        number("size", frame.frame.size());
        if (!frame.empty()) performative(body);
        if (frame.is(descriptor::transfer)) number("payload", frame.payload.size());
        end();
    }
    void value(std::uint64_t at, Decoder& from, bool inner) override {
        const Decoder start = from;
        Decoder ahead = from;
        const Descriptor found = from.peek() == Type::described ? ahead.read_descriptor() : Descriptor();
        const std::uint64_t code = ahead.ok() && ahead.offset() > from.offset() ? found.resolve().value_or(0) : 0;
        const bool section = code >= descriptor::header && code <= descriptor::footer;
        begin(at, section ? "section" : "value");
        if (inner) out_ += ",\"in-frame\":true";
        if (section) {
            text("section", descriptor_name(code));
            from = ahead;
        }
        member("value");
        if (const CompositeInfo* info = section ? find_composite(code) : nullptr;
            info != nullptr && from.peek() == Type::list) {
            JsonPrinter(out_).fields(from, *info);
        } else if (!JsonPrinter(out_).value(from)) {
            out_ += "null";
        }
        if (!from.ok()) understood(start);
        end();
    }
    void delivery(std::uint64_t at, std::size_t octets) override {
        begin(at, "delivery");
        number("octets", octets);
        end();
    }
    void fault(std::uint64_t at, Errc fault) override {
        begin(at, "error");
        text("error", make_error_code(fault).message());
        if (const std::string_view clause = clause_of(fault); !clause.empty()) text("clause", clause);
        end();
    }
    void incomplete(std::uint64_t at, std::string_view what, std::size_t octets, std::size_t wanted) override {
        begin(at, "incomplete");
        text("what", what);
        number("octets", octets);
        number("wanted", wanted);
        end();
    }
    void missing(std::uint64_t at, std::uint64_t octets) override {
        begin(at, "missing");
        number("octets", octets);
        end();
    }
    void skipped(std::uint64_t at, std::uint64_t octets) override {
        begin(at, "skipped");
        number("octets", octets);
        end();
    }
    std::string take() override { return std::exchange(out_, {}); }

private:
    void performative(Decoder& body) {
        const Decoder start = body;
        Decoder ahead = body;
        const Descriptor found = ahead.read_descriptor();
        const CompositeInfo* info = ahead.ok() ? find_composite(found.resolve().value_or(0)) : nullptr;
        if (info != nullptr && ahead.peek() == Type::list) {
            text("performative", info->name);
            member("fields");
            body = ahead;
            JsonPrinter(out_).fields(body, *info);
        } else {
            member("body");
            if (!JsonPrinter(out_).value(body)) out_ += "null";
        }
        if (!body.ok()) understood(start);
    }
    /// JSON can only hold what is complete; the text has the rest, up to the fault.
    void understood(Decoder from) {
        TextPrinter to(SIZE_MAX);
        to.value(from);
        text("understood", to.text());
    }
    void begin(std::uint64_t at, std::string_view kind) {
        out_ += fmt::format("{{\"offset\":{},\"kind\":\"{}\"", at, kind);
    }
    void member(std::string_view name) { out_ += fmt::format(",\"{}\":", name); }
    void number(std::string_view name, std::uint64_t v) { out_ += fmt::format(",\"{}\":{}", name, v); }
    void text(std::string_view name, std::string_view v) {
        member(name);
        append_json_string(out_, v);
    }
    void end() { out_ += "}\n"; }

    std::string out_;
};

}  // namespace

std::unique_ptr<Report> make_report(const DumpOptions& options) {
    if (options.form == DumpForm::json) return std::make_unique<JsonReport>();
    return std::make_unique<TextReport>(options);
}

}  // namespace aprotic::codec
