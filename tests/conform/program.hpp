#pragma once

#include <string>

#include <sys/types.h>

#include "conform/client.hpp"

namespace aprotic::conform {

/// A program under test, started by /bin/sh in a process group of its own: it ends with all that it has started.
class Program {
public:
    Program() = default;
    ~Program() { forget(); }
    Program(const Program&) = delete;
    Program& operator=(const Program&) = delete;

    /// Starts this command; the one before it is ended and forgotten. What is wrong, or empty.
    std::string start(std::string command);
    /// Whether it has ended by itself within `patience`, or was never started.
    bool has_ended(peer::Duration patience);
    /// The process that was started, the shell where the command does not begin with exec; -1 where there is none.
    pid_t pid() const { return pid_; }
    /// Its exit code, once it has left by itself and in order.
    std::optional<int> exit_code() const { return ended_.exit_code; }
    /// Ends it if it is still there. Tells the same again when that was done already.
    Ended stop();
    /// The last that it wrote to its standard error.
    std::string last_said() const;
    /// Ends it, and what it said is gone.
    void forget();

private:
    pid_t pid_ = -1;
    int watch_ = -1;   // becomes readable when the process ends
    int errors_ = -1;  // a file without a name, into which its standard error goes
    bool reaped_ = false;
    Ended ended_;
};

}  // namespace aprotic::conform
