#pragma once

#include <cstdint>
#include <vector>

#include "fuzzer/conversations.hpp"
#include "fuzzer/script.hpp"

namespace aprotic::fuzzer {

/// Scripts from a stock of conversations, one to three things changed in each: whole frames, what is in their headers,
/// performatives, fields by the codec's tables, sections of messages, octets, and where writes are cut. The same seed,
/// stock and number make the same script.
class Mutator {
public:
    /// The stock must not be empty.
    Mutator(std::vector<Conversation> stock, std::uint64_t seed) : stock_(std::move(stock)), seed_(seed) {}

    /// Its notes say what it was made of and what was changed.
    Script script(std::uint64_t number) const;

private:
    std::vector<Conversation> stock_;
    std::uint64_t seed_;
};

}  // namespace aprotic::fuzzer
