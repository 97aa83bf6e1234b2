#include "sim/sim_reactor.hpp"

#include <algorithm>

#include <aprotic/engine/memory_stream.hpp>

namespace aprotic::sim {
namespace {

using engine::Errc;
using engine::Failure;
using engine::Initiator;
using engine::Stream;

bool is_loopback(const std::string& host) {
    return host.empty() || host == "localhost" || host == "127.0.0.1" || host == "::1";
}

/// A stream in memory that goes by the name of a place in the simulated network.
class NamedStream final : public Stream {
public:
    NamedStream(std::unique_ptr<Stream> inner, std::string name, bool is_private)
        : inner_(std::move(inner)), name_(std::move(name)), is_private_(is_private) {}

    void read(std::span<std::byte> into, Completion done) override { inner_->read(into, std::move(done)); }
    std::optional<Read> try_read(std::span<std::byte> into) override { return inner_->try_read(into); }
    void write(std::span<const codec::ConstBuffer> from, Completion done) override {
        inner_->write(from, std::move(done));
    }
    void shutdown_write() override { inner_->shutdown_write(); }
    void close() override { inner_->close(); }
    std::string peer_name() const override { return name_; }
    bool is_private() const override { return is_private_; }

private:
    std::unique_ptr<Stream> inner_;
    std::string name_;
    bool is_private_;
};

Failure transport_failure(Errc code, std::string text) {
    return {.code = code, .initiator = Initiator::transport, .condition = {}, .text = std::move(text)};
}

}  // namespace

class SimReactor::SimAcceptor final : public engine::Acceptor {
public:
    SimAcceptor(SimReactor& reactor, Address at) : reactor_(reactor), at_(std::move(at)) {}
    ~SimAcceptor() override { reactor_.listening_.erase(at_.to_string()); }
    Address local_address() const override { return at_; }

private:
    SimReactor& reactor_;
    Address at_;
};

SimReactor::SimReactor(std::uint64_t seed) : generator_(seed) {}

SimReactor::~SimReactor() {
    for (int steps = 0; steps < 100'000 && step_before(now_); ++steps) {
    }
    // Tasks own what they capture, and its destructors may post or cancel.
    while (!queue_.empty() || !attempts_.empty() || !listening_.empty()) {
        if (!queue_.empty()) queue_.extract(queue_.begin());
        if (!attempts_.empty()) attempts_.extract(attempts_.begin());
        if (!listening_.empty()) listening_.extract(listening_.begin());
    }
}

bool SimReactor::step() { return step_before(Instant::max()); }

bool SimReactor::step_before(Instant end) {
    thread_ = std::this_thread::get_id();
    engine::Function<void()> task;
    {
        const std::lock_guard lock(mutex_);
        if (queue_.empty() || queue_.begin()->first.first > end) return false;
        auto entry = queue_.extract(queue_.begin());
        now_ = std::max(now_, entry.key().first);
        due_.erase(entry.key().second);
        task = std::move(entry.mapped());
    }
    task();
    return true;
}

void SimReactor::run_for(Duration span) {
    const Instant end = now() + span;
    while (step_before(end)) {
    }
    const std::lock_guard lock(mutex_);
    now_ = std::max(now_, end);
}

void SimReactor::jump(Duration ahead) {
    const std::lock_guard lock(mutex_);
    now_ += ahead;
}

void SimReactor::silence(const std::string& host) { silent_[host] = true; }

Instant SimReactor::now() const {
    const std::lock_guard lock(mutex_);
    return now_;
}

engine::WallTime SimReactor::wall_time() const {
    return std::chrono::sys_days(std::chrono::January / 1 / 2026) + elapsed();
}

std::uint64_t SimReactor::enqueue(Instant when, engine::Function<void()> task) {
    const std::lock_guard lock(mutex_);
    const std::uint64_t number = ++last_number_;
    queue_.emplace(Key(std::max(when, now_), number), std::move(task));
    due_.emplace(number, std::max(when, now_));
    return number;
}

void SimReactor::post(engine::Function<void()> task) { enqueue(Instant{}, std::move(task)); }

engine::Reactor::TimerId SimReactor::start_timer(Instant when, engine::Function<void()> task) {
    return enqueue(when, std::move(task));
}

void SimReactor::cancel_timer(TimerId timer) {
    std::map<Key, engine::Function<void()>>::node_type dropped;
    const std::lock_guard lock(mutex_);
    const auto found = due_.find(timer);
    if (found == due_.end()) return;
    dropped = queue_.extract(Key(found->second, timer));
    due_.erase(found);
}

engine::Reactor::ConnectId SimReactor::connect(const Address& to, Instant deadline, Connected done) {
    const ConnectId id = ++last_attempt_;
    attempts_.emplace(id, std::move(done));
    post([this, id, to, deadline] { finish_connect(to, deadline, id); });
    return id;
}

void SimReactor::finish_connect(const Address& to, Instant deadline, ConnectId id) {
    if (!attempts_.contains(id)) return;
    if (silent_.contains(to.host) && now() < deadline) {
        start_timer(deadline, [this, id, to, deadline] { finish_connect(to, deadline, id); });
        return;
    }
    auto done = std::move(attempts_.extract(id).mapped());
    const std::string name = to.to_string();
    if (silent_.contains(to.host)) {
        return done(transport_failure(Errc::connect_timed_out, "no connection to " + name + ": nobody answers"));
    }
    if (to.host.ends_with(".invalid")) {
        return done(transport_failure(Errc::resolve_failed, "cannot resolve the host of " + name + ": no such host"));
    }
    auto listener = listening_.find(name);
    if (listener == listening_.end()) {
        // Somebody who listens on all interfaces takes what is addressed to any host of this port.
        listener = listening_.find(Address{.host = "", .port = to.port}.to_string());
    }
    if (listener == listening_.end()) {
        return done(transport_failure(Errc::connect_failed, "cannot connect to " + name + ": connection refused"));
    }
    codec::Result<Joined, Failure> joined =
        network_ ? network_(to) : codec::Result<Joined, Failure>(engine::make_memory_streams(*this));
    if (!joined) return done(joined.error());
    auto [near, far] = std::move(*joined);
    const bool is_private = to.kind == Address::Kind::unix_socket || is_loopback(to.host);
    const std::string client = is_private ? "localhost:40000" : "client:40000";
    const auto accepted = listener->second;  // the call may destroy the acceptor
    (*accepted)(std::make_unique<NamedStream>(std::move(far), client, is_private));
    done(std::unique_ptr<Stream>(std::make_unique<NamedStream>(std::move(near), name, is_private)));
}

void SimReactor::cancel_connect(ConnectId attempt) { attempts_.erase(attempt); }

codec::Result<std::unique_ptr<engine::Acceptor>, Failure> SimReactor::listen(const Address& at, Accepted accepted) {
    Address local = at;
    if (local.kind == Address::Kind::tcp && local.port == 0) local.port = ++last_port_;
    const auto [entry, is_new] = listening_.try_emplace(local.to_string());
    if (!is_new) {
        return Failure{.code = std::make_error_code(std::errc::address_in_use),
                       .initiator = Initiator::us,
                       .condition = {},
                       .text = "cannot listen on " + local.to_string() + ": address in use"};
    }
    entry->second = std::make_shared<Accepted>(std::move(accepted));
    return std::unique_ptr<engine::Acceptor>(std::make_unique<SimAcceptor>(*this, local));
}

std::uint64_t SimReactor::random() {
    const std::lock_guard lock(mutex_);
    return generator_();
}

}  // namespace aprotic::sim
