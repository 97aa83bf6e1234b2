#pragma once

#include <cstdint>
#include <string>

#include <aprotic/codec/message_view.hpp>
#include <aprotic/codec/result.hpp>
#include <aprotic/driver/json.hpp>
#include <aprotic/driver/notification.hpp>
#include <aprotic/engine/time.hpp>

namespace aprotic::driver::bus {

/// The JSON text of a notification: `{"request": …, "context": …}`, with the request in an envelope of version 2.0 if
/// asked for. [oslo wire 4]
std::string notification_text(const Notification& notification, bool in_envelope);

/// Reads the body of a notification, in an envelope or not. Keys may be missing, but for the priority. The error's text
/// says what is wrong with it.
codec::Result<Notification, std::string> read_notification(const codec::MessageView& message, const JsonLimits& limits);

/// The topic by which a pool gets its notifications; without a pool the topic itself.
std::string pool_topic(const std::string& topic, const std::string& pool);

/// A UUID of version 4 made of random bits.
std::string uuid_text(std::uint64_t high, std::uint64_t low);
/// "YYYY-MM-DD HH:MM:SS.ffffff"
std::string timestamp_text(engine::WallTime time);

}  // namespace aprotic::driver::bus
