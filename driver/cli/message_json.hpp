#pragma once

#include <string>

#include <aprotic/codec/message_view.hpp>
#include <aprotic/codec/value.hpp>
#include <aprotic/driver/json.hpp>

namespace aprotic::driver::cli {

/// An AMQP value for people: symbols and uuids as text, timestamps as milliseconds, binary as {"hex": …}, lists, arrays
/// and maps as such. Types are not kept; `aprotic dump` shows them.
Json to_json(const codec::Value& value);
Json to_json(const codec::Map& map);

/// Body, properties and annotations of a message; absent sections are left out.
Json to_json(const codec::MessageView& message);

/// The body alone: text as it is, data sections as their octets, everything else as JSON.
std::string body_text(const codec::MessageView& message);

}  // namespace aprotic::driver::cli
