#pragma once

// What through_ours.cpp and through_proton.cpp share, so that they differ in the library alone.
//
//     through_… send|receive|request|respond URL ADDRESS --count N [--window N] [--reply-to A]

#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace through {

constexpr std::uint32_t credit_window = 1000;
constexpr std::size_t size = 100;  ///< octets of a body

struct Arguments {
    std::string mode, url, address, reply_to;
    std::uint64_t count = 0;
    std::uint64_t window = 1;

    Arguments(int argc, char** argv) {
        if (argc < 4) throw std::runtime_error("MODE URL ADDRESS --count N …");
        mode = argv[1], url = argv[2], address = argv[3];
        for (int i = 4; i + 1 < argc; i += 2) {
            const std::string_view name = argv[i];
            if (name == "--count") count = std::strtoull(argv[i + 1], nullptr, 10);
            if (name == "--window") window = std::strtoull(argv[i + 1], nullptr, 10);
            if (name == "--reply-to") reply_to = argv[i + 1];
        }
        if (count == 0) throw std::runtime_error("--count is missing");
    }
};

inline std::string body(std::uint64_t i) {
    std::string octets(size, 'x');
    std::memcpy(octets.data(), &i, sizeof i);
    return octets;
}

/// Which messages there were, whatever their order, and how long they took.
class Count {
public:
    explicit Count(std::uint64_t expected) : expected_(expected) {}
    /// True with the last one.
    bool add(std::uint64_t i) {
        const auto now = Clock::now();
        if (count_ == 0) begin_ = now;
        sum_ += (i + 1) * 0x9e3779b97f4a7c15u;
        end_ = now;
        return ++count_ == expected_;
    }
    void report() const {
        rusage used{};
        getrusage(RUSAGE_SELF, &used);
        const auto in_seconds = [](const timeval& t) {
            return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6;
        };
        std::printf("{\"count\": %llu, \"digest\": \"%016llx\", \"seconds\": %.6f, \"cpu\": %.6f}\n",
                    static_cast<unsigned long long>(count_), static_cast<unsigned long long>(sum_),
                    std::chrono::duration<double>(end_ - begin_).count(),
                    in_seconds(used.ru_utime) + in_seconds(used.ru_stime));
        std::fflush(stdout);
    }
    static void ready() {
        std::puts("ready");
        std::fflush(stdout);
    }

private:
    using Clock = std::chrono::steady_clock;
    std::uint64_t expected_, count_ = 0, sum_ = 0;
    Clock::time_point begin_, end_;
};

}  // namespace through
