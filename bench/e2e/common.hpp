#pragma once

// What the programs of all libraries share, so that they differ in the library alone: their command line and what a
// message holds. How they measure is in meter.hpp.

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>

namespace bench {

constexpr const char* usage =
    "PROGRAM MODE --at HOST:PORT [--listen] --count N [OPTIONS]\n"
    "modes of e2e: send, receive; request, respond; connect, accept; idle, hold\n"
    "  --address A        node of the broker\n"
    "  --reply-to A       where replies go at a broker that makes no nodes\n"
    "  --size BYTES       of the body\n"
    "  --settled          send settled\n"
    "  --credit N         of each receiver\n"
    "  --window N         requests under way\n"
    "  --warm-up N        messages that are not timed\n"
    "  --rate N           messages a second, by a schedule that waits for nobody\n"
    "  --links N          receivers of this program; with idle, links of each connection\n"
    "  --stream BYTES     a message of that size after the other on a second link\n"
    "  --tls-ca FILE, --tls-cert FILE --tls-key FILE, --resume\n"
    "  --wire BYTES --reply BYTES --batch N   raw TCP: octets of a message and its answer, messages of a write\n"
    "rpc: serve|call|both|soak --at URL --count N [--size BYTES] [--window N] [--threads N] [--inline] [--chained]\n";

struct Arguments {
    std::string mode;
    std::string at;
    bool listen = false;  ///< be the server; port 0 takes a free one, which is printed
    std::string address = "unicast.bench";
    std::string reply_to;  ///< empty: a dynamic node
    std::uint64_t count = 0;
    std::size_t size = 100;  ///< of the body
    bool settled = false;
    std::uint32_t credit = 1000;  ///< of every receiver
    std::uint32_t window = 1;     ///< requests under way
    std::uint64_t warm_up = 0;    ///< messages before those that are timed
    double rate = 0;              ///< messages a second; 0: as fast as they are taken
    std::uint32_t links = 1;
    std::uint64_t stream = 0;  ///< octets of the large messages beside; 0: none
    std::string tls_ca;        ///< client: speak TLS, and trust this one
    std::string tls_cert;      ///< server: speak TLS, and be this one
    std::string tls_key;
    bool resume = false;  ///< take up TLS sessions again
    // Raw TCP alone:
    std::size_t wire = 0;
    std::size_t reply = 0;  ///< octets of a reply
    std::uint32_t batch = 1;
    // rpc/ alone:
    unsigned threads = 1;         ///< that share the window
    bool inline_methods = false;  ///< on the server's reactor thread
    bool chained = false;         ///< the next call is begun by the callback of one that has ended

    Arguments(int argc, char** argv) {
        if (argc < 2) throw std::runtime_error(usage);
        mode = argv[1];
        for (int i = 2; i < argc; ++i) {
            const std::string_view word = argv[i];
            if (flag(word)) continue;
            if (++i == argc || !option(word, argv[i])) throw std::runtime_error(usage);
        }
        if (at.empty() || count == 0 || size < 8 || (rate > 0 && size < 16)) throw std::runtime_error(usage);
    }

    std::string host() const { return at.substr(0, at.rfind(':')); }
    std::string port() const { return at.substr(at.rfind(':') + 1); }

private:
    bool flag(std::string_view word) {
        bool* const known = word == "--listen"    ? &listen
                            : word == "--settled" ? &settled
                            : word == "--resume"  ? &resume
                            : word == "--inline"  ? &inline_methods
                            : word == "--chained" ? &chained
                                                  : nullptr;
        if (known != nullptr) *known = true;
        return known != nullptr;
    }
    bool option(std::string_view word, const char* value) {
        return take(word, "--at", value, at) || take(word, "--address", value, address) ||
               take(word, "--reply-to", value, reply_to) || take(word, "--count", value, count) ||
               take(word, "--size", value, size) || take(word, "--credit", value, credit) ||
               take(word, "--window", value, window) || take(word, "--warm-up", value, warm_up) ||
               take(word, "--rate", value, rate) || take(word, "--links", value, links) ||
               take(word, "--stream", value, stream) || take(word, "--tls-ca", value, tls_ca) ||
               take(word, "--tls-cert", value, tls_cert) || take(word, "--tls-key", value, tls_key) ||
               take(word, "--wire", value, wire) || take(word, "--reply", value, reply) ||
               take(word, "--batch", value, batch) || take(word, "--threads", value, threads);
    }
    template <class T>
    static bool take(std::string_view word, std::string_view name, const char* value, T& into) {
        if (word != name) return false;
        if constexpr (std::is_same_v<T, std::string>) {
            into = value;
        } else if constexpr (std::is_floating_point_v<T>) {
            into = std::strtod(value, nullptr);
        } else {
            into = static_cast<T>(std::strtoull(value, nullptr, 10));
        }
        return true;
    }
};

using Clock = std::chrono::steady_clock;

inline double seconds_since(Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
}

inline void say(const std::string& line) {
    std::puts(line.c_str());
    std::fflush(stdout);
}

/// The body of message `i`: its number and filling.
inline std::string body(std::uint64_t i, std::size_t size) {
    std::string octets(size, 'x');
    std::memcpy(octets.data(), &i, sizeof i);
    return octets;
}

/// The same with the moment it was to be sent at behind the number. All programs of a run have the same clock.
inline std::string body(std::uint64_t i, std::size_t size, Clock::time_point due) {
    std::string octets = body(i, size);
    const std::int64_t ticks = due.time_since_epoch().count();
    std::memcpy(octets.data() + sizeof i, &ticks, sizeof ticks);
    return octets;
}

/// How many octets of a body a receiver looks at: all that differs.
constexpr std::size_t head_size = 16;

inline Clock::time_point due_in(const void* head) {
    std::int64_t ticks = 0;
    std::memcpy(&ticks, static_cast<const char*>(head) + sizeof(std::uint64_t), sizeof ticks);
    return Clock::time_point(Clock::duration(ticks));
}

/// Which messages there were, whatever their order; two sets with the same digest are the same for our purpose.
class Digest {
public:
    /// Only the first eight octets of a body are looked at, and its size.
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

}  // namespace bench

#include "e2e/meter.hpp"
