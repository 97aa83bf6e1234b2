#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include <aprotic/codec/performatives.hpp>

#include "peer/channel.hpp"

namespace aprotic::conform {

/// What a client under test is to do.
struct Task {
    codec::Role role = codec::Role::sender;  ///< a program that sends, or one that receives
    std::uint32_t count = 1;                 ///< messages, after which it is done
    std::size_t size = 16;                   ///< octets of the body of each that it sends
    bool login = false;                      ///< it is given a user and a password, so that it asks for a SASL layer
    std::string node = "conform";            ///< the address of its link
};

/// How a client under test came to its end.
struct Ended {
    bool by_itself = false;          ///< else it was ended by the suite
    std::optional<int> exit_code{};  ///< where it left by itself and in order
    std::string crash{};             ///< what a crash was seen by; empty: none
    std::string said{};              ///< the last that it wrote to its standard error
};

/// The clients under test: programs that are started, one for each case, and connect to the suite.
class Clients {
public:
    virtual ~Clients() = default;

    /// Whether there is one that can take this part.
    virtual bool has(codec::Role role) const = 0;
    /// Starts one. The one before it has been stopped. What is wrong, or empty.
    virtual std::string start(const Task& task) = 0;
    /// The next connection that it makes; null when none comes within `patience` or it ends before, and the reason.
    virtual std::unique_ptr<peer::Channel> accept(peer::Duration patience, std::string& why) = 0;
    /// Waits that long for it to leave by itself; its exit code if it did.
    virtual std::optional<int> wait(peer::Duration patience) = 0;
    /// Ends it if it is still there. Does nothing but tell the same again when it was stopped already.
    virtual Ended stop() = 0;
};

}  // namespace aprotic::conform
