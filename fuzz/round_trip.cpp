// Well-formed composites and messages made from the field tables: each is read, as what it is and as a plain value, and
// means the same when written again. After that one octet is changed, and it may be anything.
#include "generate.hpp"

#include <aprotic/codec/assert.hpp>
#include <aprotic/codec/delivery_state.hpp>
#include <aprotic/codec/dump.hpp>
#include <aprotic/codec/error_condition.hpp>
#include <aprotic/codec/json.hpp>
#include <aprotic/codec/message_view.hpp>
#include <aprotic/codec/performatives.hpp>
#include <aprotic/codec/sasl_frames.hpp>
#include <aprotic/codec/transactions.hpp>

#include <vector>

using namespace aprotic::codec;
using aprotic::fuzz::Chance;
using aprotic::fuzz::Generator;

namespace {

template <class T>
void round_trip(std::span<const std::byte> octets, bool must_read) {
    const Result<T> read = decode_as<T>(octets);
    APROTIC_ASSERT(read.has_value() || !must_read);
    if (!read) return;
    Encoder to;
    encode(to, *read);
    APROTIC_ASSERT(to.ok());
    const Result<T> again = decode_as<T>(to.written());
    APROTIC_ASSERT(again && *again == *read);
}

template <class T>
void round_trip_if(std::uint64_t code, std::span<const std::byte> octets, bool must_read) {
    if (Table<T>::code == code) round_trip<T>(octets, must_read);
}
template <class... Ts>
void round_trip_any(std::uint64_t code, std::span<const std::byte> octets, bool must_read) {
    (round_trip_if<Ts>(code, octets, must_read), ...);
}

void composite(std::uint64_t code, std::span<const std::byte> octets, bool must_read) {
    round_trip_any<Open, Begin, Attach, Flow, Transfer, Disposition, Detach, End, Close, ErrorCondition, Received,
                   Accepted, Rejected, Released, Modified, Source, Target, DeleteOnClose, DeleteOnNoLinks,
                   DeleteOnNoMessages, DeleteOnNoLinksOrMessages, Coordinator, Declare, Discharge, Declared,
                   TransactionalState, SaslMechanisms, SaslInit, SaslChallenge, SaslResponse, SaslOutcome, Header,
                   Properties>(code, octets, must_read);
    if (code >= descriptor::open && code <= descriptor::close) round_trip<Performative>(octets, must_read);
    if (code >= descriptor::sasl_mechanisms && code <= descriptor::sasl_outcome)
        round_trip<SaslFrame>(octets, must_read);
    round_trip<Value>(octets, must_read);
    if (const Result<Value> value = decode_value(octets)) {
        const auto back = parse_json(to_json(*value));
        APROTIC_ASSERT(back && *back == *value);
    }
    const Dump shown = dump(DumpAs::value, octets);
    APROTIC_ASSERT(shown.ok || !must_read);
}

void message(std::span<const std::byte> octets, bool must_read) {
    const Result<Message> read = decode_message(octets);
    APROTIC_ASSERT(read.has_value() || !must_read);
    const MessageView view{ByteChain(Bytes::copy_of(octets))};
    APROTIC_ASSERT(view.check().has_value() == read.has_value());
    const Dump shown = dump(DumpAs::message, octets);
    APROTIC_ASSERT(shown.ok == read.has_value());
    if (!read) return;
    const EncodedMessage encoded = encode(*read);
    const Result<Message> again = decode_message(encoded.octets());
    APROTIC_ASSERT(again && *again == *read);
    Encoder to;
    encode_into(to, *read);
    APROTIC_ASSERT(to.ok() && ByteChain(to.take()) == encoded.octets());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    Chance chance(std::span(data, size));
    Generator generator(chance);
    const bool whole_message = chance.one_in(3);
    const CompositeInfo& info = generator.any_composite();
    if (whole_message) {
        generator.message();
    } else {
        generator.composite(info);
    }
    std::vector<std::byte> octets(generator.written().begin(), generator.written().end());
    const auto check = [&](bool must_read) {
        if (whole_message) {
            message(octets, must_read);
        } else {
            composite(info.code, octets, must_read);
        }
    };
    check(true);
    if (octets.empty()) return 0;
    octets[chance.number(2) % octets.size()] ^= static_cast<std::byte>(chance.octet() | 1U);
    check(false);
    return 0;
}
