#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <aprotic/codec/result.hpp>
#include <aprotic/codec/value.hpp>

/// What the fuzzer says to a peer, and the form in which it is written down. Knows the codec only.
namespace aprotic::fuzzer {

/// One write of a script, and what is waited for behind it.
struct Step {
    std::string octets{};               ///< a protocol header, a frame, or anything at all
    std::vector<std::size_t> splits{};  ///< offsets at which the write is cut, ascending: each piece is one write
    std::string awaits{};               ///< "header" or the name of a performative; empty: nothing is waited for

    friend bool operator==(const Step&, const Step&) = default;
};

/// Everything the fuzzer says on one connection, from the protocol header on.
struct Script {
    std::vector<Step> steps{};
    std::vector<std::string> notes{};  ///< for people, a line each: where it comes from, what was changed
    unsigned repeat = 1;               ///< connections on which it is said, one after the other

    friend bool operator==(const Script&, const Script&) = default;
};

/// The text of a script: a line for each write, its octets in hex with '|' where it is cut, behind '#' what it says.
std::string to_text(const Script& script);
/// Reads what to_text wrote, or what somebody wrote by hand: docs/fuzzing.md has the lines. The error names the line.
codec::Result<Script, std::string> read_script(std::string_view text);

/// A recorded direction of a connection, from its protocol header on, as a script that waits where a client would.
Script script_of_stream(std::span<const std::byte> octets);

/// "AMQP header …", "channel 0 attach{…}", or what is wrong with it.
std::string describe(std::string_view octets);

/// The octets `$txn-id$` as a binary stand for the transaction that the peer declared last.
inline constexpr std::string_view transaction_mark = "$txn-id$";
/// The step's octets with `id` for the mark; unchanged where there is none or where it does not lie in whole values.
std::string with_transaction(const std::string& octets, std::string_view id);

/// A frame taken apart, so that its parts can be changed one by one.
struct FrameParts {
    std::uint8_t doff = 2;
    std::uint8_t type = 0;
    std::uint16_t channel = 0;
    std::string extended{};       ///< extended header
    codec::Value performative{};  ///< a described list, as long as nobody has changed it
    std::string payload{};

    /// The descriptor's code where it is one of the specification's; 0 otherwise.
    std::uint64_t code() const;
};
/// Nothing for what is no frame with a decodable body.
std::optional<FrameParts> take_apart(std::string_view octets);
std::string put_together(const FrameParts& parts);
/// Only the header and the size are made; the body is as given.
std::string frame_around(std::string_view body, std::uint8_t type = 0, std::uint16_t channel = 0);

}  // namespace aprotic::fuzzer
