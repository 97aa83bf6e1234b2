#pragma once

#include <string>

#include <aprotic/codec/message_view.hpp>
#include <aprotic/driver/json.hpp>

namespace aprotic::driver::cli {

/// Body, properties and annotations of a message, values in the plain form of docs/codec.md: types are not kept,
/// `aprotic dump` shows them. Absent sections are left out.
Json to_json(const codec::MessageView& message);

/// The body alone: text as it is, data sections as their octets, everything else as JSON.
std::string body_text(const codec::MessageView& message);

}  // namespace aprotic::driver::cli
