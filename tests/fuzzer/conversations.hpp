#pragma once

#include <string>
#include <vector>

#include "fuzzer/script.hpp"

namespace aprotic::fuzzer {

/// How the peer is spoken with.
struct Access {
    enum class Sasl { none, anonymous, plain };
    Sasl sasl = Sasl::none;
    std::string user{};
    std::string password{};
    std::string hostname{};                    ///< of our open; empty: none
    std::string address = "fuzz";              ///< of the node that the conversations are about
    std::string guard_address = "fuzz-guard";  ///< of a queue that nobody else uses
};

struct Conversation {
    std::string name;
    Script script;
};

/// What clients say in the ordinary course, every performative in it: the stock that mutations are made of.
std::vector<Conversation> conversations(const Access& access);

/// The steps up to the open, the open among them, for a container of this name.
std::vector<Step> beginning(const Access& access, const std::string& container);

}  // namespace aprotic::fuzzer
