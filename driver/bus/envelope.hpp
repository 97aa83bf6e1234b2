#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include <aprotic/codec/message.hpp>
#include <aprotic/codec/message_view.hpp>
#include <aprotic/codec/result.hpp>
#include <aprotic/driver/bus/extras.hpp>
#include <aprotic/driver/dispatcher.hpp>
#include <aprotic/driver/error.hpp>
#include <aprotic/driver/json.hpp>

namespace aprotic::driver::bus {

/// The JSON text of a call, cast or fanout; `call_monitor_timeout` of the request is part of it.
std::string request_text(const Request& request);
/// The JSON text of a reply: `{"response": value}` or `{"failure": "<JSON text>"}`.
std::string reply_text(const Reply& reply);

/// What a message says beside its body.
struct Envelope {
    std::string to = {};
    std::optional<codec::MessageId> message_id = {};
    std::optional<std::string> reply_to = {};
    std::optional<codec::MessageId> correlation_id = {};
    std::optional<Duration> ttl = {};
    bool durable = false;
    const Extras* extras = nullptr;  ///< borrowed
};

/// The octets of header, properties, amqp-value with the text; no body section without a text (heartbeats).
/// [oslo wire 3] Application properties only where there are extras.
codec::EncodedMessage encode_message(Envelope envelope, std::optional<std::string_view> text);

/// Reads what requests and notifications have in common: an object with the object "request", taken out of its
/// envelope if it is in one, and perhaps "context". The error's text says what is wrong with it.
codec::Result<Json, std::string> read_content(const codec::MessageView& message, const JsonLimits& limits);

/// Reads the body of a request. The error's text says what is wrong with it.
codec::Result<Request, std::string> read_request(const codec::MessageView& message, const JsonLimits& limits);

/// A server's sign that it works on a call: a message without content.
struct Heartbeat {};
using ReplyContent = std::variant<Heartbeat, Json, RemoteError>;
codec::Result<ReplyContent, std::string> read_reply(const codec::MessageView& message, const JsonLimits& limits);

/// The driver's code for an exception of a server.
Errc code_of(const RemoteError& error);

}  // namespace aprotic::driver::bus
