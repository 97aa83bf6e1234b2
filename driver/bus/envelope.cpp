#include <aprotic/driver/bus/envelope.hpp>

#include <algorithm>
#include <limits>

#include <fmt/core.h>

#include <aprotic/codec/encoder.hpp>
#include <aprotic/driver/bus/json_reader.hpp>
#include <aprotic/driver/bus/json_text.hpp>

namespace aprotic::driver::bus {
namespace {

/// The body: an amqp-value string is what everybody sends, binary and data sections are understood too.
codec::Result<std::string_view, std::string> text_of(const codec::MessageView& message) {
    const auto text = message.body_text();
    if (!text) return fmt::format("the body is no text: {}", text.error().message());
    return *text;
}

/// Newer oslo.messaging may put a message into an envelope of its own, also around requests. The text in it.
codec::Result<std::string_view, std::string> wrapped_text(const Json& version, const Json& message) {
    if (!version.is_string() || !version_is_compatible("2.0", version.get_ref<const std::string&>()))
        return std::string("an envelope of version 2.0 was expected");
    if (!message.is_string()) return std::string("the envelope's oslo.message is no string");
    return std::string_view(message.get_ref<const std::string&>());
}

codec::Result<void, std::string> unwrap(Json& request, const JsonLimits& limits) {
    const auto version = request.find("oslo.version");
    const auto message = request.find("oslo.message");
    if (version == request.end() || message == request.end()) return {};
    APROTIC_TRY_AS(const auto text, wrapped_text(*version, *message));
    APROTIC_TRY_AS(auto inner, parse_json(text, limits));
    request = std::move(inner);
    return {};
}

/// The string under `key`; nullopt when it is missing or null, and when it is something else.
std::optional<std::string> text_at(const Json& object, const char* key) {
    const auto at = object.find(key);
    if (at == object.end() || !at->is_string()) return std::nullopt;
    return at->get<std::string>();
}

RemoteError read_error(const Json& failure) {
    // Every key may be missing. [oslo wire 4]
    RemoteError error;
    error.type = text_at(failure, "class").value_or("");
    error.module = text_at(failure, "module").value_or("");
    error.message = text_at(failure, "message").value_or("");
    if (const auto trace = failure.find("tb"); trace != failure.end() && trace->is_array())
        for (const auto& line : *trace)
            if (line.is_string()) error.traceback.push_back(line.get<std::string>());
    if (const auto args = failure.find("args"); args != failure.end() && args->is_array()) error.args = *args;
    if (const auto kwargs = failure.find("kwargs"); kwargs != failure.end() && kwargs->is_object())
        error.kwargs = *kwargs;
    return error;
}

/// Enough for most, so that the text seldom moves while it is written.
constexpr std::size_t usual_text_bytes = 512;

}  // namespace

std::string request_text(const Request& request) {
    std::string out;
    out.reserve(usual_text_bytes);
    out += R"({"request": {"method": )";
    append_json_string(out, request.method);
    out += R"(, "args": )";
    if (request.args.is_null())
        out += "{}";
    else
        append_json(out, request.args);
    if (request.namespace_) append_json_string(out += R"(, "namespace": )", *request.namespace_);
    if (request.version) append_json_string(out += R"(, "version": )", *request.version);
    append_json(out += R"(}, "context": )", request.context);
    if (request.call_monitor_timeout) {
        const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(*request.call_monitor_timeout);
        const bool whole = seconds == *request.call_monitor_timeout;
        append_json(
            out += R"(, "call_monitor_timeout": )",
            whole ? Json(seconds.count()) : Json(std::chrono::duration<double>(*request.call_monitor_timeout).count()));
    }
    out += '}';
    return out;
}

std::string reply_text(const Reply& reply) {
    if (reply) {
        std::string out;
        out.reserve(usual_text_bytes);
        out += R"({"response": )";
        append_json(out, *reply);
        out += '}';
        return out;
    }
    const RemoteError error = reply.error();
    Json failure = Json::object();
    failure["class"] = error.type;
    failure["module"] = error.module;
    failure["message"] = error.message;
    failure["tb"] = error.traceback;
    failure["args"] = error.args;
    failure["kwargs"] = error.kwargs;
    std::string out = R"({"failure": )";
    append_json_string(out, to_json_text(failure));
    out += '}';
    return out;
}

namespace {

void write_id(codec::Encoder& to, const codec::MessageIdView& id) {
    struct Writer {
        codec::Encoder& to;
        void operator()(std::uint64_t number) const { to.write_ulong(number); }
        void operator()(const codec::Uuid& uuid) const { to.write_uuid(uuid); }
        void operator()(std::span<const std::byte> octets) const { to.write_binary(octets); }
        void operator()(std::string_view text) const { to.write_string(text); }
    };
    std::visit(Writer{to}, id);
}

/// [3.2.1] Neither priority nor what a first delivery has by default.
void write_header(codec::Encoder& to, const Envelope& envelope) {
    to.write_descriptor(codec::descriptor::header);
    const auto list = to.begin_list(true);
    std::uint32_t count = 0;
    if (envelope.durable || envelope.ttl) {
        envelope.durable ? to.write_boolean(true) : to.write_null();
        count = 1;
    }
    if (envelope.ttl) {
        constexpr std::int64_t longest = std::numeric_limits<codec::Milliseconds>::max();
        const auto ms = std::chrono::ceil<std::chrono::milliseconds>(*envelope.ttl).count();
        to.write_null();
        to.write_uint(static_cast<std::uint32_t>(std::clamp<std::int64_t>(ms, 0, longest)));
        count = 3;
    }
    to.end(list, count);
}

/// [3.2.4] message-id, user-id, to, subject, reply-to, correlation-id; none behind the last that is there.
void write_properties(codec::Encoder& to, const Envelope& envelope) {
    to.write_descriptor(codec::descriptor::properties);
    const auto list = to.begin_list(true);
    std::uint32_t count = 3;
    envelope.message_id ? write_id(to, *envelope.message_id) : to.write_null();
    to.write_null();
    to.write_string(envelope.to);
    if (envelope.reply_to || envelope.correlation_id) {
        to.write_null();
        envelope.reply_to ? to.write_string(*envelope.reply_to) : to.write_null();
        count = 5;
    }
    if (envelope.correlation_id) {
        write_id(to, *envelope.correlation_id);
        count = 6;
    }
    to.end(list, count);
}

}  // namespace

codec::MessageIdView view_of(const codec::MessageId& id) {
    struct Viewer {
        codec::MessageIdView operator()(std::uint64_t number) const { return number; }
        codec::MessageIdView operator()(const codec::Uuid& uuid) const { return uuid; }
        codec::MessageIdView operator()(const codec::Binary& octets) const { return octets.span(); }
        codec::MessageIdView operator()(const std::string& text) const { return std::string_view(text); }
    };
    return std::visit(Viewer{}, id);
}

codec::EncodedMessage encode_message(const Envelope& envelope, std::optional<std::string_view> text) {
    constexpr std::size_t frame_of_texts = 96;  // octets around the texts, and ids
    const std::size_t texts = envelope.to.size() + envelope.reply_to.value_or("").size() + text.value_or("").size();
    codec::Encoder encoder(texts + frame_of_texts);
    write_header(encoder, envelope);
    write_properties(encoder, envelope);
    if (envelope.extras != nullptr) envelope.extras->write(encoder);
    if (text) {
        encoder.write_descriptor(codec::descriptor::amqp_value);
        encoder.write_string(*text);
    }
    return codec::EncodedMessage(encoder.take());
}

codec::Result<Json, std::string> read_content(const codec::MessageView& message, const JsonLimits& limits) {
    APROTIC_TRY_AS(const auto text, text_of(message));
    auto content = parse_json(text, limits);
    if (!content) return content.error();
    if (!content->is_object() || !content->contains("request"))
        return std::string("no object with a 'request' was in the body");
    Json& body = (*content)["request"];
    if (!body.is_object()) return std::string("'request' is no object");
    APROTIC_TRY(unwrap(body, limits));
    if (!body.is_object()) return std::string("'request' is no object");
    return content;
}

namespace {

/// What is under a key; nullopt when it is missing or null, and when it is something else.
bool read_text(JsonReader& reader, std::optional<std::string>& into) {
    into.reset();
    return reader.at_string() ? reader.read(into.emplace()) : reader.skip();
}

/// The members of "request" that count.
struct Body {
    bool is_object = false;
    std::optional<std::string> method{};
    std::optional<std::string> namespace_{};
    std::optional<std::string> version{};
    Json args{};
    std::optional<Json> wrapper_version{};
    std::optional<Json> wrapped{};

    bool read(JsonReader& reader) {
        *this = {};
        is_object = reader.at_object();
        if (!is_object) return reader.skip();
        return reader.members([&](std::string_view key) {
            if (key == "method") return read_text(reader, method);
            if (key == "args") return reader.read(args);
            if (key == "version") return read_text(reader, version);
            if (key == "namespace") return read_text(reader, namespace_);
            if (key == "oslo.version") return reader.read(wrapper_version.emplace());
            if (key == "oslo.message") return reader.read(wrapped.emplace());
            return reader.skip();
        });
    }
};

}  // namespace

codec::Result<Request, std::string> read_request(const codec::MessageView& message, const JsonLimits& limits) {
    APROTIC_TRY_AS(const auto text, text_of(message));
    JsonReader reader(text, limits);
    std::optional<Body> body;
    std::optional<Json> context;
    Json monitor;
    const auto on_member = [&](std::string_view key) {
        if (key == "request") return body.emplace().read(reader);
        if (key == "context") return reader.read(context.emplace());
        if (key == "call_monitor_timeout") return reader.read(monitor);
        return reader.skip();
    };
    if (!(reader.at_object() ? reader.members(on_member) : reader.skip()) || !reader.end()) return reader.error();
    if (!body) return std::string("no object with a 'request' was in the body");
    if (body->wrapper_version && body->wrapped) {
        APROTIC_TRY_AS(const auto inner, wrapped_text(*body->wrapper_version, *body->wrapped));
        JsonReader within(inner, limits);
        Body unwrapped;
        if (!unwrapped.read(within) || !within.end()) return within.error();
        body = std::move(unwrapped);
    }
    if (!body->is_object) return std::string("'request' is no object");
    if (!body->method) return std::string("'request' has no 'method'");
    if (!body->args.is_null() && !body->args.is_object()) return std::string("'args' is no object");
    Request request{.method = std::move(*body->method),
                    .args = body->args.is_null() ? Json::object() : std::move(body->args),
                    .namespace_ = std::move(body->namespace_),
                    .version = std::move(body->version),
                    .context = context ? std::move(*context) : Json::object(),
                    .wants_reply = message.reply_to().has_value()};
    if (monitor.is_number()) {
        constexpr double day = 24 * 3600;
        const double seconds = monitor.get<double>();
        if (seconds > 0 && seconds <= day)
            request.call_monitor_timeout = std::chrono::duration_cast<Duration>(std::chrono::duration<double>(seconds));
    }
    return request;
}

codec::Result<ReplyContent, std::string> read_reply(const codec::MessageView& message, const JsonLimits& limits) {
    if (!message.ok()) return fmt::format("the message is malformed: {}", message.error().message());
    // A body of null counts as none [oslo wire 4], and so does an empty data section: RabbitMQ 3 puts it where none
    // was.
    const auto data = message.body_data();
    if (!message.has_body() || message.raw_body_value().is_null() ||
        (message.body_kind() == codec::MessageView::BodyKind::data && data && data->size() == 0))
        return ReplyContent(Heartbeat{});
    APROTIC_TRY_AS(const auto text, text_of(message));
    JsonReader reader(text, limits);
    const bool is_object = reader.at_object();
    Json response;
    Json failure;
    const auto on_member = [&](std::string_view key) {
        if (key == "response") return reader.read(response);
        if (key == "failure") return reader.read(failure);
        return reader.skip();
    };
    if (!(is_object ? reader.members(on_member) : reader.skip()) || !reader.end()) return reader.error();
    if (!is_object) return std::string("the reply is no object");
    if (failure.is_null()) return ReplyContent(std::move(response));
    if (failure.is_object()) return ReplyContent(read_error(failure));
    if (!failure.is_string()) return std::string("'failure' is no string");
    auto inner = parse_json(failure.get_ref<const std::string&>(), limits);
    if (!inner) return fmt::format("'failure': {}", inner.error());
    if (!inner->is_object()) return std::string("'failure' holds no object");
    return ReplyContent(read_error(*inner));
}

Errc code_of(const RemoteError& error) {
    if (error.module.starts_with("oslo_messaging.rpc.dispatcher")) {
        if (error.type == "NoSuchMethod") return Errc::no_such_method;
        if (error.type == "UnsupportedVersion") return Errc::unsupported_version;
    }
    return Errc::remote_error;
}

}  // namespace aprotic::driver::bus
