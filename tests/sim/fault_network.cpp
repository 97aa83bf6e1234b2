#include "sim/fault_network.hpp"

#include <algorithm>
#include <deque>
#include <string>
#include <system_error>
#include <utility>

namespace aprotic::sim {

using engine::Stream;
using std::chrono::microseconds;
using std::chrono::milliseconds;

namespace {

Duration draw_span(test::Prng& prng, Duration max) {
    return Duration(static_cast<Duration::rep>(prng.below(static_cast<std::uint64_t>(max.count()) + 1)));
}

}  // namespace

Weather Weather::draw(test::Prng& prng) {
    Weather weather;
    if (prng.one_in(2)) weather.piece_max = std::size_t{1} << prng.between(3, 14);
    if (prng.one_in(2)) weather.latency_max = draw_span(prng, milliseconds(200));
    if (prng.one_in(3)) weather.capacity = std::size_t{1} << prng.between(9, 14);
    if (prng.one_in(4)) weather.reader_pause_max = draw_span(prng, milliseconds(20));
    if (prng.one_in(3)) weather.stall_one_in = prng.between(20, 200);
    weather.stall_max = draw_span(prng, milliseconds(8000));
    if (prng.one_in(3)) weather.refuse_one_in = prng.between(2, 6);
    return weather;
}

/// Two directions between two ends.
class FaultNetwork::Joint : public std::enable_shared_from_this<Joint> {
public:
    struct Direction {
        std::deque<std::byte> queue;                         // arrived first
        std::size_t arrived = 0;                             // octets of the queue that the reader may have
        std::deque<std::pair<Instant, std::size_t>> pieces;  // the rest, by when it arrives
        Instant last_due{};
        Instant reader_opens{};
        bool write_ended = false;  // the reader sees the end behind what is queued
        bool swallows = false;     // what is written goes nowhere
        bool read_ended = false;   // nobody reads: writing fails

        std::span<std::byte> into;
        Stream::Completion read_done;
        bool reading = false;
        std::span<const codec::ConstBuffer> from;
        Stream::Completion write_done;
        bool writing = false;
    };

    Joint(FaultNetwork& network, std::shared_ptr<WireTap> tap)
        : network_(&network), reactor_(network.reactor_), tap_(std::move(tap)) {}

    Direction& towards(std::size_t side) { return directions_[side]; }
    bool alive() const { return !reset_ && !(closed_[0] && closed_[1]); }

    void advance(std::size_t to) {
        Direction& way = directions_[to];
        if (reset_) return fail(way);
        arrive(way);
        if (way.writing) serve_writer(to);
        if (way.reading) serve_reader(to);
        arm(to);
    }

    void close(std::size_t side) {
        if (std::exchange(closed_[side], true)) return;
        Direction& in = directions_[side];
        Direction& out = directions_[1 - side];
        in.read_ended = true;
        in.reading = out.writing = false;
        in.read_done = nullptr;
        out.write_done = nullptr;
        in.queue.clear();
        in.pieces.clear();
        in.arrived = 0;
        out.write_ended = true;
        advance(side);
        advance(1 - side);
    }

    void reset() {
        reset_ = true;
        for (Direction& way : directions_) {
            way.queue.clear();
            way.pieces.clear();
            way.arrived = 0;
            fail(way);
        }
    }
    void half_close(std::size_t to) {
        directions_[to].write_ended = directions_[to].swallows = true;
        advance(to);
    }
    void stall(Duration time) {
        for (Direction& way : directions_) way.last_due = std::max(way.last_due, reactor_.now() + time);
    }
    void heal() {
        for (std::size_t to : {0U, 1U}) {
            Direction& way = directions_[to];
            way.last_due = way.reader_opens = {};
            for (auto& piece : way.pieces) piece.first = reactor_.now();
            advance(to);
        }
    }
    /// The network goes; whoever still holds an end has a dead one.
    void orphan() {
        reset();
        network_ = nullptr;
    }

private:
    void fail(Direction& way) {
        const auto why = std::make_error_code(std::errc::connection_reset);
        if (std::exchange(way.reading, false)) finish(way.read_done, why, 0);
        if (std::exchange(way.writing, false)) finish(way.write_done, why, 0);
    }

    void arrive(Direction& way) {
        while (!way.pieces.empty() && way.pieces.front().first <= reactor_.now()) {
            way.arrived += way.pieces.front().second;
            way.pieces.pop_front();
        }
    }

    void serve_writer(std::size_t to) {
        Direction& way = directions_[to];
        if (way.read_ended) {
            way.writing = false;
            return finish(way.write_done, std::make_error_code(std::errc::broken_pipe), 0);
        }
        const Weather& weather = network_->weather_;
        test::Prng& prng = network_->prng_;
        const std::size_t room = weather.capacity - std::min(weather.capacity, way.queue.size());
        if (room == 0 && !way.swallows) return;
        const std::size_t most = way.swallows ? SIZE_MAX : std::min(room, piece(prng, weather));
        std::size_t moved = 0;
        for (const codec::ConstBuffer& buffer : way.from) {
            const std::size_t n = std::min(buffer.size, most - moved);
            if (n == 0) break;
            tap_->written(1 - to, {buffer.data, n});
            if (!way.swallows) way.queue.insert(way.queue.end(), buffer.data, buffer.data + n);
            moved += n;
        }
        if (!way.swallows) {
            Instant due = reactor_.now() + weather.latency_min + draw_span(prng, weather.latency_max);
            if (weather.stall_one_in != 0 && prng.one_in(weather.stall_one_in))
                due += draw_span(prng, weather.stall_max);
            way.last_due = due = std::max(due, way.last_due);
            way.pieces.emplace_back(due, moved);
            arrive(way);
        }
        way.writing = false;
        finish(way.write_done, {}, moved);
    }

    void serve_reader(std::size_t to) {
        Direction& way = directions_[to];
        if (way.arrived == 0 && !(way.write_ended && way.queue.empty())) return;
        if (way.reader_opens > reactor_.now()) return;
        const Weather& weather = network_->weather_;
        test::Prng& prng = network_->prng_;
        const std::size_t n = std::min({way.arrived, way.into.size(), piece(prng, weather)});
        const auto end = way.queue.begin() + static_cast<std::ptrdiff_t>(n);
        std::copy(way.queue.begin(), end, way.into.begin());
        way.queue.erase(way.queue.begin(), end);
        way.arrived -= n;
        way.reader_opens = reactor_.now() + draw_span(prng, weather.reader_pause_max);
        way.reading = false;
        finish(way.read_done, {}, n, to);
        if (way.writing) serve_writer(to);
    }

    /// Mostly as much as goes; often enough a few octets, so that every place of a frame is cut in some world.
    static std::size_t piece(test::Prng& prng, const Weather& weather) {
        if (weather.piece_max == SIZE_MAX) return SIZE_MAX;
        return prng.one_in(4) ? prng.between(1, 16) : prng.between(1, weather.piece_max);
    }

    /// The completion stays in its slot until it runs, so that closing the end before drops it.
    void finish(Stream::Completion& slot, std::error_code error, std::size_t n, std::size_t reader = 2) {
        reactor_.post([self = shared_from_this(), &slot, error, n, reader] {
            auto done = std::exchange(slot, nullptr);
            if (!done) return;
            if (reader < 2 && n > 0) self->tap_->read(reader, n);
            done(error, n);
        });
    }

    void arm(std::size_t to) {
        Direction& way = directions_[to];
        std::optional<Instant> next;
        if (!way.pieces.empty()) next = way.pieces.front().first;
        const bool waits = way.reading && (way.arrived > 0 || way.write_ended);
        if (waits && way.reader_opens > reactor_.now())
            next = next ? std::min(*next, way.reader_opens) : way.reader_opens;
        Alarm& alarm = alarms_[to];
        if (!next || (alarm.timer != 0 && alarm.at <= *next)) return;
        // One at a time: each goes off once and is set again, so that two would never be one again.
        reactor_.cancel_timer(alarm.timer);
        alarm.at = *next;
        alarm.timer = reactor_.start_timer(*next, [weak = weak_from_this(), to] {
            const auto self = weak.lock();
            if (!self) return;
            self->alarms_[to].timer = 0;
            self->advance(to);
        });
    }

    FaultNetwork* network_;
    SimReactor& reactor_;
    std::shared_ptr<WireTap> tap_;
    Direction directions_[2];  // by who reads
    struct Alarm {
        Instant at{};
        SimReactor::TimerId timer = 0;  // 0: none
    };
    Alarm alarms_[2];
    bool closed_[2] = {false, false};
    bool reset_ = false;
};

class FaultNetwork::End final : public Stream {
public:
    End(std::shared_ptr<Joint> joint, std::size_t side) : joint_(std::move(joint)), side_(side) {}
    ~End() override { close(); }

    void read(std::span<std::byte> into, Completion done) override {
        auto& way = joint_->towards(side_);
        APROTIC_ASSERT(!way.read_done);
        way.into = into;
        way.read_done = std::move(done);
        way.reading = true;
        joint_->advance(side_);
    }
    void write(std::span<const codec::ConstBuffer> from, Completion done) override {
        auto& way = joint_->towards(1 - side_);
        APROTIC_ASSERT(!way.write_done);
        way.from = from;
        way.write_done = std::move(done);
        way.writing = true;
        joint_->advance(1 - side_);
    }
    void shutdown_write() override {
        joint_->towards(1 - side_).write_ended = true;
        joint_->advance(1 - side_);
    }
    void close() override { joint_->close(side_); }
    std::string peer_name() const override { return side_ == 0 ? "server" : "client"; }
    bool is_private() const override { return true; }

private:
    std::shared_ptr<Joint> joint_;
    std::size_t side_;
};

FaultNetwork::FaultNetwork(SimReactor& reactor, std::uint64_t seed, Weather weather, MakeTap make_tap)
    : reactor_(reactor), prng_(seed), weather_(weather), make_tap_(std::move(make_tap)) {}

FaultNetwork::~FaultNetwork() {
    for (const auto& weak : joints_) {
        if (const auto joint = weak.lock()) joint->orphan();
    }
}

codec::Result<SimReactor::Joined, engine::Failure> FaultNetwork::connect(const Address& to) {
    if (weather_.refuse_one_in != 0 && prng_.one_in(weather_.refuse_one_in)) {
        return engine::Failure{.code = engine::Errc::connect_failed,
                               .initiator = engine::Initiator::transport,
                               .condition = {},
                               .text = "cannot connect to " + to.to_string() + ": connection refused"};
    }
    const auto joint = std::make_shared<Joint>(*this, make_tap_());
    std::erase_if(joints_, [](const auto& weak) { return weak.expired(); });
    joints_.push_back(joint);
    ++made_;
    return SimReactor::Joined(std::make_unique<End>(joint, 0), std::make_unique<End>(joint, 1));
}

FaultNetwork::Joint* FaultNetwork::choose() {
    std::vector<Joint*> alive;
    for (const auto& weak : joints_) {
        const auto joint = weak.lock();
        if (joint && joint->alive()) alive.push_back(joint.get());
    }
    return alive.empty() ? nullptr : alive[prng_.below(alive.size())];
}

void FaultNetwork::reset_one() {
    if (Joint* const joint = choose()) joint->reset();
}

void FaultNetwork::half_close_one() {
    if (Joint* const joint = choose()) joint->half_close(prng_.below(2));
}

void FaultNetwork::stall_one(Duration time) {
    if (Joint* const joint = choose()) joint->stall(time);
}

void FaultNetwork::heal() {
    weather_ = {};
    for (const auto& weak : joints_) {
        if (const auto joint = weak.lock()) joint->heal();
    }
}

}  // namespace aprotic::sim
