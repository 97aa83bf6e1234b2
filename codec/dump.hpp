#pragma once

#include <aprotic/codec/decoder.hpp>
#include <aprotic/codec/frame.hpp>
#include <aprotic/codec/message.hpp>
#include <aprotic/codec/value.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace aprotic::codec {

// One line each, for logs: fields by name, absent fields left out: `attach{name="l" handle=0 role=sender
// source{address="q"}}`.
std::string to_string(const Value& value);
std::string to_string(const Map& map);
std::string to_string(const Performative& performative);
std::string to_string(const SaslFrame& frame);
std::string to_string(const ErrorCondition& error);
std::string to_string(const DeliveryState& state);
std::string to_string(const Message& message);
/// Channel, performative and payload size; what is malformed is said in place of the fields.
std::string to_string(const FrameView& frame);

/// What octets are taken for.
enum class DumpAs : std::uint8_t {
    frames,   ///< one direction of a connection: protocol headers and frames, SASL and AMQP, from any frame on
    message,  ///< the sections of one message
    value,    ///< one value or several in a row
};
/// "frames", "message", "value"
std::string_view name_of(DumpAs as) noexcept;

/// What the octets look like: frames if a protocol header or a frame header comes first, a message if the descriptor of
/// a section does, otherwise a value.
DumpAs guess_dump(std::span<const std::byte> input) noexcept;

enum class DumpForm : std::uint8_t {
    text,  ///< a line for each header, frame, section and value: its offset in hex, then what it is
    json,  ///< the same, each line one JSON object: docs/cli.md has its members
};

struct DumpOptions {
    std::size_t octets_max = 256;  ///< of each string, binary or payload in a text; the rest is counted
    bool messages = true;          ///< decode the messages inside transfers
    DumpForm form = DumpForm::text;
};

/// A whole dump. On malformed input `text` has everything that was understood and then a line with offset, error and
/// clause.
struct Dump {
    std::string text;
    std::size_t frames = 0;
    bool ok = true;  ///< everything is well-formed, and nothing is cut short
};
Dump dump(DumpAs as, std::span<const std::byte> input, const DumpOptions& options = {});

/// Dumps a direction of a connection that comes piece by piece. Keeps the octets of the frame that is not complete yet
/// and of the deliveries that are under way, so no more than it was given. Not thread-safe.
class StreamDumper {
public:
    explicit StreamDumper(const DumpOptions& options = {});
    ~StreamDumper();
    StreamDumper(StreamDumper&&) noexcept;
    StreamDumper& operator=(StreamDumper&&) noexcept;

    /// Lines about everything that is complete now. Offsets count from the start of the stream.
    std::string feed(std::span<const std::byte> octets);
    /// So many octets of the stream are missing here; 0: it is only not sure that a frame starts here. What follows is
    /// searched for the next frame.
    std::string skip(std::uint64_t octets);
    /// Nothing comes any more: a line about what is left over. Once.
    std::string finish();

    bool ok() const noexcept;
    std::size_t frames() const noexcept;

private:
    class Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace aprotic::codec
