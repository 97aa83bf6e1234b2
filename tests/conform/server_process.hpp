#pragma once

#include <string>

#include "conform/program.hpp"
#include "conform/runner.hpp"

namespace aprotic::conform {

/// A server under test that may go away and come back: a program that the suite starts, or one that others look after.
class ServerProcess {
public:
    /// `command` starts it in the foreground, by /bin/sh; empty: others do.
    ServerProcess(std::string command, Connector connect, Timing timing)
        : command_(std::move(command)), connect_(std::move(connect)), timing_(timing) {}

    /// Starts it, anew if it is there, and waits until it gets us to an open connection, at most `patience`. What it is
    /// like is in `profile` then, as `prepare` has it. What is wrong, or empty.
    std::string bring_up(Profile& profile, Duration patience);
    /// False once a program that the suite has started has ended.
    bool alive() { return command_.empty() || !program_.has_ended(Duration::zero()); }

private:
    std::string command_;
    Connector connect_;
    Timing timing_;
    Program program_;
};

}  // namespace aprotic::conform
