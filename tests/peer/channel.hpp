#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

namespace aprotic::peer {

using Duration = std::chrono::nanoseconds;

/// The script and the other side disagree. The text shows both frames and what went before.
class ScriptError : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

/// Thrown out of a script when its stream was broken on purpose. See check_failures.
class StreamCut : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

/// Where a script is spoken: one byte connection, seen from the peer's end.
class Channel {
public:
    virtual ~Channel() = default;

    /// Hands all bytes over.
    virtual void write(std::span<const std::byte> bytes) = 0;
    /// What came from the other side within `patience`; empty when nothing did, or at the end of the stream.
    virtual std::vector<std::byte> read(Duration patience) = 0;
    /// The other side has closed the stream and everything it wrote was read.
    virtual bool at_end() = 0;
    /// Tells the other side that nothing more will come from us.
    virtual void end_of_stream() = 0;
    /// The stream has ended, and not in order, where that can be told.
    virtual bool was_reset() const { return false; }
};

/// Ways in which a stream goes wrong under a machine.
enum class Cut {
    reset,    ///< reading and writing fail at once
    eof,      ///< the peer half-closes: nothing more can be read, writing still works
    silence,  ///< the peer says nothing any more
};

/// The thing under test in memory: bytes in, bytes out, virtual time. Knows nothing of the peer.
class Machine {
public:
    virtual ~Machine() = default;

    /// Offers bytes as a stream would; returns how many were taken. Fewer than all: it does not want to read more now.
    virtual std::size_t feed(std::span<const std::byte> bytes) = 0;
    /// Up to `max` bytes of what it wants to write; empty when there is nothing now.
    virtual std::vector<std::byte> take_output(std::size_t max) = 0;
    /// It wants its stream closed.
    virtual bool closed() const = 0;
    /// Moves the clock to its next deadline, or by `at_most` if that is nearer; returns by how much.
    virtual Duration advance(Duration at_most) = 0;
    /// The peer has finished writing.
    virtual void end_of_input() = 0;
    /// Breaks the stream and checks that the machine comes to its end in bounded time; throws ScriptError if it does
    /// not.
    virtual void cut(Cut how) = 0;
};

/// How the bytes of one run are cut up, and where the run fails. One object per run: it counts.
struct Plan {
    std::size_t input_chunk = SIZE_MAX;         ///< most bytes the machine is given at once
    std::size_t output_chunk = SIZE_MAX;        ///< most bytes the machine may write at once
    std::optional<std::size_t> split_input_at;  ///< no piece crosses this offset of the whole input
    std::optional<std::size_t> split_output_at;
    std::optional<std::size_t> fail_at_step;  ///< a step is one piece in either direction
    Cut cut = Cut::reset;

    std::size_t input_bytes = 0;
    std::size_t output_bytes = 0;
    std::size_t steps = 0;
};

}  // namespace aprotic::peer
