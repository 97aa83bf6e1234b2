#pragma once

#include <string>
#include <vector>

#include <sys/types.h>

namespace aprotic::driver::cli {

/// Another process of this command's executable. It is ended, and waited for, with this object.
class Child {
public:
    /// Starts it with these arguments. Throws std::system_error when it cannot be started.
    explicit Child(const std::vector<std::string>& arguments);
    ~Child();
    Child(const Child&) = delete;
    Child& operator=(const Child&) = delete;

    /// The next line that it writes to stdout; empty at the end of its output or after ten seconds.
    std::string read_line();
    pid_t pid() const { return pid_; }
    /// Whether it has not ended by itself.
    bool running();

private:
    pid_t pid_ = -1;
    int output_ = -1;
    std::string buffered_;
};

}  // namespace aprotic::driver::cli
