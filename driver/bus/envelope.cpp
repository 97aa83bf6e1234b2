#include <aprotic/driver/bus/envelope.hpp>

#include <algorithm>
#include <limits>

#include <fmt/core.h>

#include <aprotic/codec/encoder.hpp>
#include <aprotic/driver/bus/json_text.hpp>

namespace aprotic::driver::bus {
namespace {

/// The body: an amqp-value string is what everybody sends, binary and data sections are understood too.
codec::Result<std::string_view, std::string> text_of(const codec::MessageView& message) {
    const auto text = message.body_text();
    if (!text) return fmt::format("the body is no text: {}", text.error().message());
    return *text;
}

/// Newer oslo.messaging may put a message into an envelope of its own, also around requests.
codec::Result<void, std::string> unwrap(Json& request, const JsonLimits& limits) {
    const auto version = request.find("oslo.version");
    const auto message = request.find("oslo.message");
    if (version == request.end() || message == request.end()) return {};
    if (!version->is_string() || !version_is_compatible("2.0", version->get_ref<const std::string&>()))
        return std::string("an envelope of version 2.0 was expected");
    if (!message->is_string()) return std::string("the envelope's oslo.message is no string");
    APROTIC_TRY_AS(auto inner, parse_json(message->get_ref<const std::string&>(), limits));
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

codec::EncodedMessage encode_message(Envelope envelope, std::optional<std::string_view> text) {
    codec::Header header{.durable = envelope.durable};
    if (envelope.ttl) {
        constexpr std::int64_t longest = std::numeric_limits<codec::Milliseconds>::max();
        const auto ms = std::chrono::ceil<std::chrono::milliseconds>(*envelope.ttl).count();
        header.ttl = static_cast<codec::Milliseconds>(std::clamp<std::int64_t>(ms, 0, longest));
    }
    constexpr std::size_t frame_of_texts = 96;  // octets around the texts, and ids
    const std::size_t texts = envelope.to.size() + envelope.reply_to.value_or("").size() + text.value_or("").size();
    codec::Properties properties{.message_id = std::move(envelope.message_id),
                                 .to = std::move(envelope.to),
                                 .reply_to = std::move(envelope.reply_to),
                                 .correlation_id = std::move(envelope.correlation_id)};
    codec::Encoder encoder(texts + frame_of_texts);
    encode(encoder, header);
    encode(encoder, properties);
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

codec::Result<Request, std::string> read_request(const codec::MessageView& message, const JsonLimits& limits) {
    APROTIC_TRY_AS(auto content, read_content(message, limits));
    Json& body = content["request"];
    auto method = text_at(body, "method");
    if (!method) return std::string("'request' has no 'method'");
    Request request{.method = std::move(*method),
                    .args = Json::object(),
                    .namespace_ = text_at(body, "namespace"),
                    .version = text_at(body, "version"),
                    .context = Json::object(),
                    .wants_reply = message.reply_to().has_value()};
    if (const auto args = body.find("args"); args != body.end() && !args->is_null()) {
        if (!args->is_object()) return std::string("'args' is no object");
        request.args = std::move(*args);
    }
    if (const auto context = content.find("context"); context != content.end()) request.context = std::move(*context);
    if (const auto monitor = content.find("call_monitor_timeout"); monitor != content.end() && monitor->is_number()) {
        constexpr double day = 24 * 3600;
        const double seconds = monitor->get<double>();
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
    APROTIC_TRY_AS(auto content, parse_json(text, limits));
    if (!content.is_object()) return std::string("the reply is no object");
    if (const auto failure = content.find("failure"); failure != content.end() && !failure->is_null()) {
        if (failure->is_object()) return ReplyContent(read_error(*failure));
        if (!failure->is_string()) return std::string("'failure' is no string");
        auto inner = parse_json(failure->get_ref<const std::string&>(), limits);
        if (!inner) return fmt::format("'failure': {}", inner.error());
        if (!inner->is_object()) return std::string("'failure' holds no object");
        return ReplyContent(read_error(*inner));
    }
    const auto response = content.find("response");
    return ReplyContent(response == content.end() ? Json() : std::move(*response));
}

Errc code_of(const RemoteError& error) {
    if (error.module.starts_with("oslo_messaging.rpc.dispatcher")) {
        if (error.type == "NoSuchMethod") return Errc::no_such_method;
        if (error.type == "UnsupportedVersion") return Errc::unsupported_version;
    }
    return Errc::remote_error;
}

}  // namespace aprotic::driver::bus
