#include "fuzzer/script.hpp"

#include <algorithm>
#include <charconv>

#include <aprotic/codec/dump.hpp>
#include <aprotic/codec/frame.hpp>
#include <aprotic/codec/json.hpp>

namespace aprotic::fuzzer {
namespace {

using codec::FrameParser;

constexpr std::string_view title = "aprotic fuzz script";

void append_be(std::string& to, std::uint64_t number, unsigned octets) {
    while (octets-- > 0) to += static_cast<char>(number >> (8 * octets) & 0xff);
}

int digit_of(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

/// Hex digits with '|' where the write is cut; what is wrong, or empty.
std::string read_octets(std::string_view text, Step& step) {
    int high = -1;
    for (const char c : text) {
        if (c == ' ' || c == '\t' || c == '\r') continue;
        if (c == '|') {
            if (high >= 0) return "'|' in the middle of an octet";
            if (!step.octets.empty()) step.splits.push_back(step.octets.size());
            continue;
        }
        const int digit = digit_of(c);
        if (digit < 0) return "octets are hex digits";
        if (high >= 0) step.octets += static_cast<char>(high * 16 + digit);
        high = high < 0 ? digit : -1;
    }
    if (high >= 0) return "half an octet at the end";
    if (!step.splits.empty() && step.splits.back() == step.octets.size()) step.splits.pop_back();
    return {};
}

/// "CHANNEL {JSON}": a frame by its performative, in the lossless form of docs/codec.md.
std::string read_frame(std::string_view text, std::uint8_t type, Step& step) {
    std::uint16_t channel = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), channel);
    if (error != std::errc()) return "a frame begins with its channel";
    const auto value = codec::parse_json(text.substr(static_cast<std::size_t>(end - text.data())));
    if (!value) return value.error().to_string();
    codec::Encoder to;
    encode(to, *value);
    if (!to.ok()) return to.error().message();
    step.octets = frame_around(codec::as_text(to.written()), type, channel);
    return {};
}

/// What a client waits for behind a performative of its own.
std::string answer_to(const codec::FrameView& frame) {
    switch (frame.code) {
        case codec::descriptor::open: return "open";
        case codec::descriptor::begin: return "begin";
        case codec::descriptor::attach: {
            const auto attach = frame.as<codec::Attach>();
            return attach && attach->role == codec::Role::sender ? "flow" : "attach";
        }
        case codec::descriptor::end: return "end";
        case codec::descriptor::close: return "close";
        case codec::descriptor::sasl_init: return "sasl-outcome";
        default: return {};
    }
}

bool replace_mark(codec::Value& value, std::string_view id) {
    bool replaced = false;
    const auto each = [&](codec::Value& inner) { replaced = replace_mark(inner, id) || replaced; };
    if (auto* binary = value.get_if<codec::Binary>()) {
        replaced = binary->text() == transaction_mark;
        if (replaced) value = codec::Value(codec::Binary(id));
    } else if (auto* described = value.get_if<codec::Described>()) {
        each(described->value());
    } else if (auto* list = value.get_if<codec::List>()) {
        for (auto& item : *list) each(item);
    } else if (auto* map = value.get_if<codec::Map>()) {
        for (auto& entry : *map) each(entry.second);
    }
    return replaced;
}

}  // namespace

std::string describe(std::string_view octets) {
    const auto bytes = codec::as_bytes(octets);
    if (octets.size() == codec::ProtocolHeader::size && octets.starts_with("AMQP")) {
        std::string text = "AMQP header";
        for (std::size_t i = 4; i < octets.size(); ++i)
            text += " " + std::to_string(static_cast<unsigned char>(octets[i]));
        return text;
    }
    const auto step = FrameParser(UINT32_MAX).next(bytes);
    if (step.status == FrameParser::Status::error) return "no legal frame: " + step.error.message();
    if (step.status == FrameParser::Status::need_more)
        return "a part of a frame of " + std::to_string(step.size) + " octets";
    constexpr std::size_t readable = 300;
    std::string text = codec::to_string(step.frame);
    std::replace(text.begin(), text.end(), '\n', ' ');
    if (text.size() > readable) text = text.substr(0, readable) + "…";
    if (step.size < octets.size()) text += " and " + std::to_string(octets.size() - step.size) + " octets more";
    return text;
}

std::string to_text(const Script& script) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string text(title);
    text += "\n";
    for (const auto& note : script.notes) text += "# " + note + "\n";
    if (script.repeat != 1) text += "repeat " + std::to_string(script.repeat) + "\n";
    for (const auto& step : script.steps) {
        text += "send ";
        auto split = step.splits.begin();
        for (std::size_t i = 0; i < step.octets.size(); ++i) {
            if (split != step.splits.end() && *split == i) {
                text += '|';
                ++split;
            }
            const auto octet = static_cast<unsigned char>(step.octets[i]);
            text += digits[octet >> 4U];
            text += digits[octet & 0xfU];
        }
        text += "  # " + describe(step.octets) + "\n";
        if (!step.awaits.empty()) text += "await " + step.awaits + "\n";
    }
    return text;
}

codec::Result<Script, std::string> read_script(std::string_view text) {
    Script script;
    bool titled = false;
    for (std::size_t number = 1; !text.empty(); ++number) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        std::string_view line = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        if (line.ends_with('\r')) line.remove_suffix(1);
        const auto failed = [&](const std::string& why) { return "line " + std::to_string(number) + ": " + why; };
        if (!titled && !line.empty()) {
            if (line != title) return failed("a script begins with the line '" + std::string(title) + "'");
            titled = true;
            continue;
        }
        if (line.starts_with("#")) {
            if (line.starts_with("# ")) line.remove_prefix(1);
            script.notes.emplace_back(line.substr(1));
            continue;
        }
        const std::size_t blank = std::min(line.find(' '), line.size());
        const std::string_view word = line.substr(0, blank);
        std::string_view rest = line.substr(std::min(blank + 1, line.size()));
        std::string why;
        Step step;
        if (word.empty()) continue;
        if (word == "send") {
            why = read_octets(rest.substr(0, rest.find('#')), step);
            if (why.empty()) script.steps.push_back(std::move(step));
        } else if (word == "frame" || word == "sasl-frame") {
            why = read_frame(rest, word == "frame" ? 0 : 1, step);
            if (why.empty()) script.steps.push_back(std::move(step));
        } else if (word == "await") {
            if (script.steps.empty()) return failed("nothing was sent that could be answered");
            while (rest.ends_with(' ')) rest.remove_suffix(1);
            script.steps.back().awaits = std::string(rest);
        } else if (word == "repeat") {
            const auto read = std::from_chars(rest.data(), rest.data() + rest.size(), script.repeat);
            if (read.ec != std::errc() || script.repeat == 0) why = "repeat takes a number from 1 on";
        } else {
            why = "no line begins with '" + std::string(word) + "'";
        }
        if (!why.empty()) return failed(why);
    }
    if (!titled) return std::string("a script begins with the line '" + std::string(title) + "'");
    return script;
}

Script script_of_stream(std::span<const std::byte> octets) {
    Script script;
    while (!octets.empty()) {
        std::size_t size = octets.size();
        Step step;
        if (octets.size() >= codec::ProtocolHeader::size && codec::as_text(octets).starts_with("AMQP")) {
            size = codec::ProtocolHeader::size;
            const bool sasl = octets[4] == std::byte{static_cast<std::uint8_t>(codec::ProtocolId::sasl)};
            step.awaits = sasl ? "sasl-mechanisms" : "header";
        } else if (const auto next = FrameParser(UINT32_MAX).next(octets); next.size != 0) {
            size = std::min(next.size, octets.size());
            if (next.status == FrameParser::Status::frame) step.awaits = answer_to(next.frame);
        }
        step.octets = std::string(codec::as_text(octets.first(size)));
        script.steps.push_back(std::move(step));
        octets = octets.subspan(size);
    }
    return script;
}

std::string with_transaction(const std::string& octets, std::string_view id) {
    if (octets.find(transaction_mark) == std::string::npos) return octets;
    auto parts = take_apart(octets);
    if (!parts) return octets;
    bool replaced = replace_mark(parts->performative, id);
    codec::Encoder payload;
    codec::Decoder from(codec::as_bytes(parts->payload));
    while (from.ok() && !from.at_end()) {
        codec::Value section;
        if (!decode(from, section)) return octets;
        replaced = replace_mark(section, id) || replaced;
        encode(payload, section);
    }
    if (!replaced) return octets;
    parts->payload = std::string(codec::as_text(payload.written()));
    return put_together(*parts);
}

std::uint64_t FrameParts::code() const {
    const auto* described = performative.get_if<codec::Described>();
    return described == nullptr ? 0 : described->code().value_or(0);
}

std::optional<FrameParts> take_apart(std::string_view octets) {
    const auto bytes = codec::as_bytes(octets);
    const auto step = FrameParser(UINT32_MAX).next(bytes);
    if (step.status != FrameParser::Status::frame || step.size != octets.size() || step.frame.empty())
        return std::nullopt;
    auto value = codec::decode_value(step.frame.performative);
    if (!value || !value->is<codec::Described>()) return std::nullopt;
    FrameParts parts;
    parts.doff = static_cast<std::uint8_t>(octets[4]);
    parts.type = static_cast<std::uint8_t>(octets[5]);
    parts.channel = step.frame.channel;
    constexpr std::size_t header = codec::FrameHeader::size_min;
    parts.extended = std::string(octets.substr(header, parts.doff * std::size_t{4} - header));
    parts.performative = std::move(*value);
    parts.payload = std::string(codec::as_text(step.frame.payload));
    return parts;
}

std::string put_together(const FrameParts& parts) {
    codec::Encoder body;
    encode(body, parts.performative);
    std::string octets;
    const std::size_t size = codec::FrameHeader::size_min + parts.extended.size() + body.size() + parts.payload.size();
    append_be(octets, size, 4);
    append_be(octets, parts.doff, 1);
    append_be(octets, parts.type, 1);
    append_be(octets, parts.channel, 2);
    octets += parts.extended;
    octets += codec::as_text(body.written());
    return octets + parts.payload;
}

std::string frame_around(std::string_view body, std::uint8_t type, std::uint16_t channel) {
    std::string octets;
    append_be(octets, codec::FrameHeader::size_min + body.size(), 4);
    append_be(octets, 2, 1);
    append_be(octets, type, 1);
    append_be(octets, channel, 2);
    return octets.append(body);
}

}  // namespace aprotic::fuzzer
