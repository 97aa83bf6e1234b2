#pragma once

// What the programs of both libraries share, so that they differ in the library alone: their command line, what a
// message holds, and how they report.

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

namespace bench {

constexpr std::uint32_t credit_window = 1000;  // of every receiver
constexpr const char* usage =
    "PROGRAM send|receive|request|respond --at HOST:PORT [--listen] [--address A] --count N [--size BYTES] [--window "
    "N] "
    "[--tls-ca FILE] [--tls-cert FILE --tls-key FILE]\n"
    "ours also: handshakes --at HOST:PORT --count N --tls-ca FILE [--resume]\n"
    "rpc: serve|call|both|soak --at URL --count N [--size BYTES] [--window N] [--threads N] [--inline] [--chained]\n"
    "tcp: listen|ask --at HOST:PORT --count N --size BYTES --reply BYTES\n";

struct Arguments {
    std::string mode;
    std::string at;
    bool listen = false;  ///< be the server; port 0 takes a free one, which is printed
    std::string address = "unicast.bench";
    std::uint64_t count = 0;
    std::size_t size = 100;    ///< of the body
    std::uint32_t window = 1;  ///< requests under way
    std::string tls_ca;        ///< client: speak TLS, and trust this one
    std::string tls_cert;      ///< server: speak TLS, and be this one
    std::string tls_key;
    bool resume = false;  ///< take up TLS sessions again
    // rpc/ alone:
    unsigned threads = 1;         ///< that share the window
    bool inline_methods = false;  ///< on the server's reactor thread
    bool chained = false;         ///< the next call is begun by the callback of one that has ended
    std::size_t reply = 0;        ///< octets of a reply, raw

    Arguments(int argc, char** argv) {
        if (argc < 2) throw std::runtime_error(usage);
        mode = argv[1];
        for (int i = 2; i < argc; ++i) {
            const std::string_view word = argv[i];
            if (word == "--listen") {
                listen = true;
                continue;
            }
            if (word == "--resume") {
                resume = true;
                continue;
            }
            if (word == "--inline") {
                inline_methods = true;
                continue;
            }
            if (word == "--chained") {
                chained = true;
                continue;
            }
            if (++i == argc) throw std::runtime_error(usage);
            if (word == "--at")
                at = argv[i];
            else if (word == "--address")
                address = argv[i];
            else if (word == "--count")
                count = std::strtoull(argv[i], nullptr, 10);
            else if (word == "--size")
                size = std::strtoull(argv[i], nullptr, 10);
            else if (word == "--window")
                window = static_cast<std::uint32_t>(std::strtoul(argv[i], nullptr, 10));
            else if (word == "--threads")
                threads = std::max(1u, static_cast<unsigned>(std::strtoul(argv[i], nullptr, 10)));
            else if (word == "--reply")
                reply = std::strtoull(argv[i], nullptr, 10);
            else if (word == "--tls-ca")
                tls_ca = argv[i];
            else if (word == "--tls-cert")
                tls_cert = argv[i];
            else if (word == "--tls-key")
                tls_key = argv[i];
            else
                throw std::runtime_error(usage);
        }
        if (at.empty() || count == 0 || size < 8) throw std::runtime_error(usage);
    }

    std::string host() const { return at.substr(0, at.rfind(':')); }
    std::string port() const { return at.substr(at.rfind(':') + 1); }
};

/// The body of message `i`: its number and filling.
inline std::string body(std::uint64_t i, std::size_t size) {
    std::string octets(size, 'x');
    std::memcpy(octets.data(), &i, sizeof i);
    return octets;
}

/// Which messages there were, whatever their order; two sets with the same digest are the same for our purpose.
class Digest {
public:
    /// Only the first eight octets of a body are given, and its size.
    void add(const void* start, std::size_t size) {
        std::uint64_t i = 0;
        std::memcpy(&i, start, sizeof i);
        i ^= static_cast<std::uint64_t>(size) << 48;
        i = (i + 0x9e3779b97f4a7c15u) * 0xbf58476d1ce4e5b9u;
        i = (i ^ (i >> 27)) * 0x94d049bb133111ebu;
        sum_ += i ^ (i >> 31);
        ++count_;
    }
    std::uint64_t count() const { return count_; }
    std::uint64_t sum() const { return sum_; }

private:
    std::uint64_t count_ = 0;
    std::uint64_t sum_ = 0;
};

using Clock = std::chrono::steady_clock;

inline double seconds_since(Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
}

inline void say(const std::string& line) {
    std::puts(line.c_str());
    std::fflush(stdout);
}

/// Of this process so far, user and system.
inline double cpu_seconds() {
    rusage used{};
    getrusage(RUSAGE_SELF, &used);
    auto in_seconds = [](const timeval& t) {
        return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6;
    };
    return in_seconds(used.ru_utime) + in_seconds(used.ru_stime);
}

/// The last line of every program.
inline void report(const Digest& digest, double seconds, std::vector<double> latencies = {}) {
    const double cpu = cpu_seconds();
    std::sort(latencies.begin(), latencies.end());
    auto percentile = [&](double share) {
        return latencies.empty()
                   ? 0.0
                   : latencies[static_cast<std::size_t>(share * static_cast<double>(latencies.size() - 1))] * 1e6;
    };
    std::printf(
        "{\"count\": %llu, \"digest\": \"%016llx\", \"seconds\": %.6f, \"cpu\": %.6f, \"p50\": %.1f, \"p99\": %.1f}\n",
        static_cast<unsigned long long>(digest.count()), static_cast<unsigned long long>(digest.sum()), seconds, cpu,
        percentile(0.5), percentile(0.99));
    std::fflush(stdout);
}

/// Requests under way: at most the window, each answered once.
class Calls {
public:
    Calls(std::uint64_t count, std::uint32_t window) : count_(count), started_(count), window_(window) {
        latencies_.reserve(count);
    }
    bool may_start() const { return next_ < count_ && next_ - latencies_.size() < window_; }
    std::uint64_t start() {
        if (next_ == 0) begin_ = Clock::now();
        started_[next_] = Clock::now();
        return next_++;
    }
    /// False when nobody asked for this reply.
    bool finish(std::uint64_t id, const void* body_start, std::size_t size) {
        if (id >= next_ || started_[id] == Clock::time_point()) return false;
        latencies_.push_back(seconds_since(started_[id]));
        started_[id] = {};
        digest_.add(body_start, size);
        if (done()) seconds_ = seconds_since(begin_);
        return true;
    }
    bool done() const { return latencies_.size() == count_; }
    void report() const { bench::report(digest_, seconds_, latencies_); }

private:
    std::uint64_t count_;
    std::vector<Clock::time_point> started_;
    std::uint32_t window_;
    std::uint64_t next_ = 0;
    std::vector<double> latencies_;
    Clock::time_point begin_;
    double seconds_ = 0;
    Digest digest_;
};

}  // namespace bench
