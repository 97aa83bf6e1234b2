#include "sim/world.hpp"

#include <charconv>
#include <utility>

#include <fmt/format.h>

#include "support/alloc_counter.hpp"

namespace aprotic::sim {

using namespace std::chrono_literals;

namespace {

constexpr Duration fault_time = 12s;
constexpr Duration heal_time = 30min;
constexpr std::uint64_t octets_max = 96ULL << 20U;
constexpr std::uint64_t steps_max = 3'000'000;

double seconds(Duration time) { return std::chrono::duration<double>(time).count(); }

}  // namespace

World::World(const RunOptions& its_options)
    : options(its_options),
      prng(options.seed),
      reactor(prng.next()),
      network(reactor, options.seed ^ 0x6e65'7477'6f72'6b00, Weather::draw(prng), [this] {
          auto observer = std::make_shared<WireObserver>(journal, reactor, observers.size());
          observers.push_back(observer);
          return observer;
      }) {
    journal.show = options.show;
    reactor.set_network([this](const Address& to) { return network.connect(to); });
    octets_before_ = test::live_octets();
    fault_kinds_ = prng.next();
    fault_pause_ = 50ms + draw(2s);
}

World::~World() = default;

void World::after(Duration delay, std::function<void()> task) {
    reactor.start_timer(reactor.now() + delay, [weak = std::weak_ptr(alive_), task = std::move(task)] {
        if (!weak.expired()) task();
    });
}

void World::violated(const std::string& what) {
    journal.violated(fmt::format("{:.6f} s: {}", seconds(reactor.elapsed()), what));
}

void World::say(const std::string& what) {
    journal.note(what);
    if (journal.show) journal.show(fmt::format("{:12.6f} *** {}", seconds(reactor.elapsed()), what));
}

engine::ConnectionOptions World::draw_options(const char* container_id) {
    engine::ConnectionOptions made;
    made.container_id = container_id;
    if (prng.one_in(2)) made.limits.frame_size_max = static_cast<std::uint32_t>(512U << prng.below(6));
    if (prng.one_in(2)) made.limits.incoming_window = static_cast<std::uint32_t>(prng.between(1, 40));
    if (prng.one_in(4)) made.limits.buffered_bytes_max = std::size_t{1} << prng.between(16, 20);
    if (prng.one_in(2)) made.idle_timeout = 2s + draw(20s);
    if (prng.one_in(3)) made.close_timeout = 100ms + draw(5s);
    return made;
}

void World::schedule_fault() {
    after(draw(2 * fault_pause_), [this] {
        if (calm) return;
        fault();
        schedule_fault();
    });
}

void World::fault() {
    const std::uint64_t kind = prng.below(8);
    if ((fault_kinds_ >> kind & 1U) == 0) return disturb();
    switch (kind) {
        case 0: say("reset"); return network.reset_one();
        case 1: say("half close"); return network.half_close_one();
        case 2: say("stall"); return network.stall_one(draw(30s));
        case 3: {
            const Duration ahead = draw(prng.one_in(2) ? Duration(1s) : Duration(60s));
            say(fmt::format("the clock jumps by {:.3f} s", seconds(ahead)));
            return reactor.jump(ahead);
        }
        default: return disturb();
    }
}

/// False: stopped by `until`, by a violation, or by too many steps.
bool World::step_until(Instant end, const std::function<bool()>& done) {
    while (!stopped_ && !done()) {
        if (reactor.now() >= end || !journal.violations.empty()) return false;
        if (options.until && reactor.elapsed() >= *options.until) return stopped_ = true, false;
        if (++steps_ > steps_max) {
            violated("the world never rests: too many steps");
            return false;
        }
        if (!reactor.step()) break;
        if (steps_ % 256 == 0 && test::live_octets() - octets_before_ > octets_max)
            violated("the world takes too much memory");
    }
    return !stopped_;
}

RunResult World::run() {
    start();
    schedule_fault();
    after(fault_time, [] {});
    step_until(reactor.now() + fault_time, [] { return false; });
    if (!stopped_ && journal.violations.empty()) {
        calm = true;
        say("heal");
        network.heal();
        heal();
        const Instant end = reactor.now() + heal_time;
        // After a jump of the clock more may be due at this very instant than the state of things shows.
        do {
            step_until(end, [this] { return is_done(); });
            if (stopped_ || !journal.violations.empty() || !is_done()) break;
            reactor.settle();
        } while (!is_done());
        if (!stopped_ && journal.violations.empty() && !is_done())
            violated("not everything came to its end: " + missing());
    }
    if (!stopped_ && journal.violations.empty()) {
        reactor.settle();
        check_done();
        close();
        step_until(reactor.now() + heal_time, [this] { return is_closed(); });
        if (journal.violations.empty() && !stopped_ && !is_closed()) violated("not everything closed");
        reactor.settle();
    }
    RunResult result;
    result.hash = journal.hash;
    result.violations = journal.violations;
    result.frames = journal.frames;
    result.transfers = journal.transfers;
    result.connections = network.connections_made();
    result.steps = steps_;
    result.time = reactor.elapsed();
    return result;
}

std::string message_text(std::uint64_t number, std::size_t size) {
    std::string text = fmt::format("{}:{}:", number, size);
    const std::size_t head = text.size();
    text.resize(head + size);
    for (std::size_t i = 0; i < size; ++i) text[head + i] = static_cast<char>('a' + (number + i * 7 + i / 251) % 26);
    return text;
}

std::optional<std::uint64_t> read_message(std::string_view text) {
    std::uint64_t number = 0;
    std::size_t size = 0;
    const char* const end = text.data() + text.size();
    const auto first = std::from_chars(text.data(), end, number);
    if (first.ec != std::errc() || first.ptr == end) return std::nullopt;
    const auto second = std::from_chars(first.ptr + 1, end, size);
    if (second.ec != std::errc() || text != message_text(number, size)) return std::nullopt;
    return number;
}

}  // namespace aprotic::sim
