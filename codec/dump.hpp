#pragma once

#include <aprotic/codec/decoder.hpp>
#include <aprotic/codec/frame.hpp>
#include <aprotic/codec/message.hpp>
#include <aprotic/codec/value.hpp>

#include <cstddef>
#include <span>
#include <string>

namespace aprotic::codec {

/// How much of what a text form shows.
struct DumpOptions {
    std::size_t octets_max = 256;  ///< of each string, binary or payload; the rest is counted
    bool messages = true;         ///< decode the messages inside transfers
};

// One line each, for logs: fields by name, absent fields left out: `attach{name="l" handle=0 role=sender source{address="q"}}`.
std::string to_string(const Value& value);
std::string to_string(const Map& map);
std::string to_string(const Performative& performative);
std::string to_string(const SaslFrame& frame);
std::string to_string(const ErrorCondition& error);
std::string to_string(const DeliveryState& state);
std::string to_string(const Message& message);
/// Channel, performative and payload size; what is malformed is said in place of the fields.
std::string to_string(const FrameView& frame);

/// Several lines with offsets. On malformed input: everything that was understood, then one line with offset, error and clause.
std::string dump_value(std::span<const std::byte> input, const DumpOptions& options = {});
std::string dump_message(std::span<const std::byte> input, const DumpOptions& options = {});
/// One frame or several in a row, without the need of a protocol header.
std::string dump_frame(std::span<const std::byte> input, const DumpOptions& options = {});

/// A captured direction of a connection from its first octet: protocol headers and frames, SASL and AMQP. A stream that starts with
/// a frame is fine too. `ok` is false when something could not be understood; an incomplete last frame is reported as such.
struct StreamDump {
    std::string text;
    std::size_t frames = 0;
    bool ok = true;
    std::size_t left = 0;  ///< octets of an incomplete last frame
};
StreamDump dump_stream(std::span<const std::byte> input, const DumpOptions& options = {});

}  // namespace aprotic::codec
