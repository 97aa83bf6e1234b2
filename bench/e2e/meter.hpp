#pragma once

// What is measured, and how it is reported: one JSON object a side, for harness.py.

#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <thread>
#include <utility>
#include <vector>

#include "e2e/common.hpp"

namespace bench {

/// Of this process so far, user and system.
inline double cpu_seconds() {
    rusage used{};
    getrusage(RUSAGE_SELF, &used);
    auto in_seconds = [](const timeval& t) {
        return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6;
    };
    return in_seconds(used.ru_utime) + in_seconds(used.ru_stime);
}

/// Resident memory of this process now. Octets.
inline std::uint64_t resident() {
    unsigned long long size = 0;
    unsigned long long pages = 0;
    std::FILE* const in = std::fopen("/proc/self/statm", "r");
    if (in == nullptr) return 0;
    if (std::fscanf(in, "%llu %llu", &size, &pages) != 2) pages = 0;
    std::fclose(in);
    return pages * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
}

/// The most there has been. Not getrusage's: that begins with what the process had that started this one.
inline std::uint64_t resident_peak() {
    unsigned long long kib = 0;
    char line[256];
    std::FILE* const in = std::fopen("/proc/self/status", "r");
    while (in != nullptr && std::fgets(line, sizeof line, in) != nullptr) {
        if (std::sscanf(line, "VmHWM: %llu", &kib) == 1) break;
    }
    if (in != nullptr) std::fclose(in);
    return kib * 1024;
}

/// What one side has counted and timed.
struct Figures {
    Digest digest{};
    std::uint64_t timed = 0;           ///< messages that `seconds` and `cpu` are for
    double seconds = 0;                ///< below 0: not all ended as they should
    double cpu = 0;                    ///< of the whole process
    std::uint64_t resident_start = 0;  ///< 0: not looked at
    std::vector<double> latencies{};   ///< seconds
};

/// The last line of every program.
inline void report(Figures figures) {
    std::vector<double>& latencies = figures.latencies;
    std::sort(latencies.begin(), latencies.end());
    auto percentile = [&](double share) {
        return latencies.empty()
                   ? 0.0
                   : latencies[static_cast<std::size_t>(share * static_cast<double>(latencies.size() - 1))] * 1e6;
    };
    auto number = [](std::uint64_t n) { return static_cast<unsigned long long>(n); };
    const std::uint64_t peak = resident_peak();
    const std::uint64_t start = figures.resident_start;
    std::printf(
        "{\"count\": %llu, \"digest\": \"%016llx\", \"timed\": %llu, \"seconds\": %.6f, \"cpu\": %.6f, \"p50\": %.1f, "
        "\"p99\": %.1f, \"p999\": %.1f, \"peak\": %llu, \"growth\": %llu}\n",
        number(figures.digest.count()), number(figures.digest.sum()), number(figures.timed), figures.seconds,
        figures.cpu, percentile(0.5), percentile(0.99), percentile(0.999), number(peak),
        number(start == 0 || peak < start ? 0 : peak - start));
    std::fflush(stdout);
}

/// The same for programs that time everything from their start on.
inline void report(const Digest& digest, double seconds, std::vector<double> latencies = {}) {
    report(Figures{digest, digest.count(), seconds, cpu_seconds(), 0, std::move(latencies)});
}

/// Counts messages and times those after the first `warm_up`: the clocks start when that many have passed, at least
/// one, and stop with the last.
class Meter {
public:
    Meter(std::uint64_t count, std::uint64_t warm_up)
        : count_(count), warm_up_(std::clamp<std::uint64_t>(warm_up, 1, count)) {}

    /// A message has begun, or has come: for those who start the clock with it.
    void add(const void* head, std::size_t size) {
        if (figures_.digest.count() == 0) figures_.resident_start = resident();
        figures_.digest.add(head, size);
        if (figures_.digest.count() == warm_up_) start();
    }
    /// As add, and the last one stops the clock.
    void add_whole(const void* head, std::size_t size) {
        add(head, size);
        if (counted_all()) stop();
    }
    /// When it was to be sent; of messages that are timed.
    void add_latency(Clock::time_point due) {
        if (figures_.digest.count() > warm_up_) figures_.latencies.push_back(seconds_since(due));
    }
    void stop() {
        figures_.seconds = seconds_since(begin_);
        figures_.cpu = cpu_seconds() - cpu_;
        figures_.timed = count_ - warm_up_;
    }
    bool counted_all() const { return figures_.digest.count() == count_; }
    std::uint64_t counted() const { return figures_.digest.count(); }
    void report() const { bench::report(figures_); }

private:
    void start() {
        figures_.seconds = -1;
        begin_ = Clock::now();
        cpu_ = cpu_seconds();
    }

    const std::uint64_t count_;
    const std::uint64_t warm_up_;
    Figures figures_;
    Clock::time_point begin_;
    double cpu_ = 0;
};

/// Messages that are due at moments fixed beforehand, whether those before have been taken or not. So a pause of the
/// peer shows in every message that had to wait for its end, and not in one of them.
class Schedule {
public:
    Schedule() = default;
    Schedule(const Schedule&) = delete;
    Schedule& operator=(const Schedule&) = delete;
    ~Schedule() { stop(); }

    /// Calls `wake` on a thread of its own whenever more are due.
    void start(double rate, std::uint64_t count, std::function<void()> wake) {
        begin_ = Clock::now();
        interval_ = std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(1 / rate));
        thread_ = std::thread([this, count, wake = std::move(wake)] {
            for (std::uint64_t next = 0; next < count && !stopped_;) {
                std::this_thread::sleep_until(due(next));
                const auto now = Clock::now();
                while (next < count && due(next) <= now) ++next;
                due_count_.store(next, std::memory_order_release);
                wake();
            }
        });
    }
    bool running() const { return thread_.joinable(); }
    void stop() {
        stopped_ = true;
        if (thread_.joinable()) thread_.join();
    }
    /// How many have been due so far. Any thread.
    std::uint64_t due_count() const { return due_count_.load(std::memory_order_acquire); }
    Clock::time_point due(std::uint64_t i) const { return begin_ + static_cast<std::int64_t>(i) * interval_; }

private:
    Clock::time_point begin_;
    Clock::duration interval_{};
    std::atomic<std::uint64_t> due_count_ = 0;
    std::atomic<bool> stopped_ = false;
    std::thread thread_;
};

/// What a sender has to send, as fast as it is taken or by a schedule. One thread, but for the schedule's wake.
class Outgoing {
public:
    explicit Outgoing(const Arguments& given) : given_(given), meter_(given.count, given.warm_up) {}

    /// Once messages may be sent. Does nothing without a rate, or a second time.
    void start(std::function<void()> wake) {
        if (given_.rate > 0 && !schedule_.running()) schedule_.start(given_.rate, given_.count, std::move(wake));
    }
    bool may_send() const { return next_ < (given_.rate > 0 ? schedule_.due_count() : given_.count); }
    std::string next() {
        std::string octets =
            given_.rate > 0 ? body(next_, given_.size, schedule_.due(next_)) : body(next_, given_.size);
        if (++next_ == given_.count) schedule_.stop();  // before anything it would wake has gone
        meter_.add(octets.data(), octets.size());
        return octets;
    }
    bool sent_all() const { return next_ == given_.count; }
    /// True when it was the last.
    bool add_outcome() {
        if (++outcomes_ != given_.count) return false;
        meter_.stop();
        return true;
    }
    /// For messages that have no outcome: all have been handed over.
    void stop() { meter_.stop(); }
    void report() const { meter_.report(); }

private:
    const Arguments& given_;
    Meter meter_;
    Schedule schedule_;
    std::uint64_t next_ = 0;
    std::uint64_t outcomes_ = 0;
};

/// What a receiver has got.
class Incoming {
public:
    explicit Incoming(const Arguments& given) : timed_(given.rate > 0), meter_(given.count, given.warm_up) {}

    /// True when it was the last. `head` has the first octets of the body, up to head_size.
    bool add(const void* head, std::size_t size) {
        meter_.add_whole(head, size);
        if (timed_) meter_.add_latency(due_in(head));
        return meter_.counted_all();
    }
    bool got_all() const { return meter_.counted_all(); }
    void report() const { meter_.report(); }

private:
    const bool timed_;
    Meter meter_;
};

/// Requests under way: at most the window, each answered once. With a schedule a request's time runs from when it was
/// due.
class Calls {
public:
    explicit Calls(const Arguments& given)
        : given_(given),
          started_(given.count),
          window_(given.rate > 0 ? given.count : given.window),
          meter_(given.count, given.warm_up) {}

    void start(std::function<void()> wake) {
        if (given_.rate > 0 && !schedule_.running()) schedule_.start(given_.rate, given_.count, std::move(wake));
    }
    bool may_start() const {
        return next_ < (given_.rate > 0 ? schedule_.due_count() : given_.count) && next_ - finished() < window_;
    }
    std::uint64_t start_next() {
        started_[next_] = given_.rate > 0 ? schedule_.due(next_) : Clock::now();
        if (++next_ == given_.count) schedule_.stop();  // before anything it would wake has gone
        return next_ - 1;
    }
    /// False when nobody asked for this reply.
    bool finish(std::uint64_t id, const void* head, std::size_t size) {
        if (id >= next_ || started_[id] == Clock::time_point()) return false;
        meter_.add_whole(head, size);
        meter_.add_latency(started_[id]);
        started_[id] = {};
        return true;
    }
    std::uint64_t finished() const { return meter_.counted(); }
    bool done() const { return meter_.counted_all(); }
    void report() const { meter_.report(); }

private:
    const Arguments& given_;
    std::vector<Clock::time_point> started_;
    const std::uint64_t window_;
    Meter meter_;
    Schedule schedule_;
    std::uint64_t next_ = 0;
};

/// What many idle connections and links take. `limit` connections, each with `links`.
class Idle {
public:
    explicit Idle(const Arguments& given)
        : count_(given.count), links_(given.count * given.links), start_(resident()) {}

    /// True when it was the last one.
    bool add_connection() {
        if (++connections_ != count_) return false;
        connected_ = resident();
        return true;
    }
    bool add_link() {
        if (++linked_ != links_) return false;
        end_ = resident();
        return true;
    }
    void report() const {
        auto each = [](std::uint64_t before, std::uint64_t after, std::uint64_t count) {
            return count == 0 || after < before ? 0.0
                                                : static_cast<double>(after - before) / static_cast<double>(count);
        };
        std::printf("{\"count\": %llu, \"links\": %llu, \"octets\": %.0f, \"link_octets\": %.0f}\n",
                    static_cast<unsigned long long>(connections_), static_cast<unsigned long long>(linked_),
                    each(start_, connected_, connections_), each(connected_, end_, linked_));
        std::fflush(stdout);
    }

private:
    const std::uint64_t count_;
    const std::uint64_t links_;
    std::uint64_t connections_ = 0;
    std::uint64_t linked_ = 0;
    std::uint64_t start_;
    std::uint64_t connected_ = 0;
    std::uint64_t end_ = 0;
};

/// Connections that are opened and closed again, one after the other. A run of them is a set of numbers too.
class Rounds {
public:
    explicit Rounds(const Arguments& given) : meter_(given.count, given.warm_up) {}
    /// One connection is over. True when it was the last.
    bool add() {
        const std::uint64_t number = meter_.counted();
        meter_.add_whole(&number, sizeof number);
        return meter_.counted_all();
    }
    bool done() const { return meter_.counted_all(); }
    void report() const { meter_.report(); }

private:
    Meter meter_;
};

}  // namespace bench
