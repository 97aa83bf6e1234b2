#include <algorithm>
#include <array>
#include <chrono>
#include <iterator>
#include <map>
#include <mutex>
#include <optional>
#include <random>
#include <thread>
#include <unordered_map>
#include <vector>

#include <asio/executor_work_guard.hpp>
#include <asio/io_context.hpp>
#include <asio/post.hpp>
#include <asio/steady_timer.hpp>

#include <aprotic/engine/asio_reactor.hpp>
#include <aprotic/engine/io/asio_accept.hpp>
#include <aprotic/engine/io/asio_connect.hpp>

namespace aprotic::engine {
namespace {

std::mt19937_64 seeded_generator() {
    std::random_device device;
    std::array<std::random_device::result_type, 8> seed{};
    std::generate(seed.begin(), seed.end(), std::ref(device));
    std::seed_seq sequence(seed.begin(), seed.end());
    return std::mt19937_64(sequence);
}

/// What posting threads and the loop share. One handler in the io_context stands for all tasks that wait, so that
/// posting costs a lock and a push, and tasks posted together run together.
class TaskQueue : public std::enable_shared_from_this<TaskQueue> {
public:
    explicit TaskQueue(asio::io_context& context) : context_(context) {}

    void post(Function<void()> task) {
        const std::lock_guard lock(mutex_);
        if (stopped_) return;
        waiting_.push_back(std::move(task));
        if (!std::exchange(scheduled_, true)) schedule();
    }

    void stop() {
        std::vector<Function<void()>> dropped;  // destroyed without the lock: a task's destructor may post
        const std::lock_guard lock(mutex_);
        stopped_ = true;
        dropped.swap(waiting_);
    }

private:
    void schedule() {
        asio::post(context_, [self = shared_from_this()] { self->run(); });
    }

    void run() {
        {
            const std::lock_guard lock(mutex_);
            running_.swap(waiting_);
        }
        std::size_t next = 0;
        const Finish finish{*this, next};
        while (next < running_.size()) {
            auto task = std::move(running_[next++]);
            task();
        }
    }

    /// What is left of a batch when a task throws stays in front: the owner of the io_context may go on.
    struct Finish {
        TaskQueue& queue;
        std::size_t& next;
        ~Finish() {
            auto& rest = queue.running_;
            rest.erase(rest.begin(), rest.begin() + static_cast<std::ptrdiff_t>(next));
            const std::lock_guard lock(queue.mutex_);
            if (queue.stopped_) return;
            if (!rest.empty()) {
                std::move(queue.waiting_.begin(), queue.waiting_.end(), std::back_inserter(rest));
                queue.waiting_ = std::exchange(rest, {});
            }
            queue.scheduled_ = !queue.waiting_.empty();
            if (queue.scheduled_) queue.schedule();
        }
    };

    asio::io_context& context_;
    std::mutex mutex_;
    std::vector<Function<void()>> waiting_;
    std::vector<Function<void()>> running_;  ///< the loop's own; swapped with the other, so that both keep their memory
    bool scheduled_ = false;
    bool stopped_ = false;
};

/// All timers behind one timer of Asio, which is set to the earliest.
class TimerQueue : public std::enable_shared_from_this<TimerQueue> {
public:
    explicit TimerQueue(asio::io_context& context) : timer_(context) {}

    Reactor::TimerId start(Instant when, Function<void()> task) {
        const Reactor::TimerId id = ++last_id_;
        tasks_.emplace(std::pair(when, id), std::move(task));
        deadlines_.emplace(id, when);
        arm();
        return id;
    }

    void cancel(Reactor::TimerId id) {
        const auto found = deadlines_.find(id);
        if (found == deadlines_.end()) return;
        const auto task = tasks_.extract({found->second, id});  // its destructor may start or cancel timers
        deadlines_.erase(found);
        if (!tasks_.empty() || !armed_) return;
        armed_.reset();  // nothing is left to wait for: the owner of the io_context may want to end
        timer_.cancel();
    }

    void stop() {
        timer_.cancel();
        const auto dropped = std::exchange(tasks_, {});
        deadlines_.clear();
    }

private:
    /// A wake-up that has become too early is left alone: it costs less than setting the timer anew for each change.
    void arm() {
        if (tasks_.empty()) return;
        const Instant earliest = tasks_.begin()->first.first;
        if (armed_ && *armed_ <= earliest) return;
        armed_ = earliest;
        timer_.expires_at(earliest);
        timer_.async_wait([weak = weak_from_this()](const std::error_code& error) {
            const auto self = weak.lock();
            if (!error && self) self->fire();
        });
    }

    void fire() {
        armed_.reset();
        struct Rearm {
            TimerQueue& queue;
            ~Rearm() { queue.arm(); }
        } rearm{*this};
        const Instant now = std::chrono::steady_clock::now();
        while (!tasks_.empty() && tasks_.begin()->first.first <= now) {
            auto entry = tasks_.extract(tasks_.begin());
            deadlines_.erase(entry.key().second);
            entry.mapped()();
        }
    }

    asio::steady_timer timer_;
    std::optional<Instant> armed_;
    std::map<std::pair<Instant, Reactor::TimerId>, Function<void()>> tasks_;
    std::unordered_map<Reactor::TimerId, Instant> deadlines_;
    Reactor::TimerId last_id_ = 0;
};

}  // namespace

struct AsioReactor::Impl {
    Impl() : owned(std::make_unique<asio::io_context>(1)), context(*owned) {
        work.emplace(asio::make_work_guard(context));
        thread = std::thread([this] { context.run(); });
    }
    explicit Impl(asio::io_context& borrowed) : context(borrowed) {}
    ~Impl() { stop(); }

    void stop() {
        if (std::exchange(stopped, true)) return;
        tasks->stop();
        if (thread.joinable()) {
            APROTIC_ASSERT(thread.get_id() != std::this_thread::get_id());
            context.stop();
            thread.join();
        }
        timers->stop();
        for (auto& [id, attempt] : std::exchange(attempts, {})) attempt->cancel();
    }

    std::unique_ptr<asio::io_context> owned;
    asio::io_context& context;
    std::optional<asio::executor_work_guard<asio::io_context::executor_type>> work;
    std::shared_ptr<TaskQueue> tasks = std::make_shared<TaskQueue>(context);
    std::shared_ptr<TimerQueue> timers = std::make_shared<TimerQueue>(context);
    std::unordered_map<ConnectId, std::shared_ptr<io::AsioConnect>> attempts;
    ConnectId last_attempt = 0;
    std::mutex random_mutex;
    std::mt19937_64 generator = seeded_generator();
    bool stopped = false;
    std::thread thread;  // last: everything it uses is there when it starts
};

AsioReactor::AsioReactor() : impl_(std::make_unique<Impl>()) {}
AsioReactor::AsioReactor(asio::io_context& context) : impl_(std::make_unique<Impl>(context)) {}
AsioReactor::~AsioReactor() { impl_->stop(); }

void AsioReactor::stop() { impl_->stop(); }

Instant AsioReactor::now() const { return std::chrono::steady_clock::now(); }

WallTime AsioReactor::wall_time() const { return std::chrono::system_clock::now(); }

void AsioReactor::post(Function<void()> task) { impl_->tasks->post(std::move(task)); }

bool AsioReactor::on_thread() const { return impl_->context.get_executor().running_in_this_thread(); }

Reactor::TimerId AsioReactor::start_timer(Instant when, Function<void()> task) {
    return impl_->timers->start(when, std::move(task));
}

void AsioReactor::cancel_timer(TimerId timer) { impl_->timers->cancel(timer); }

Reactor::ConnectId AsioReactor::connect(const Address& to, Instant deadline, Connected done) {
    const ConnectId id = ++impl_->last_attempt;
    // The attempt is cancelled before Impl goes, so `this` lives whenever it completes.
    auto attempt = std::make_shared<io::AsioConnect>(
        impl_->context, to, deadline,
        [this, id, done = std::move(done)](codec::Result<std::unique_ptr<Stream>, Failure> result) mutable {
            impl_->attempts.erase(id);
            done(std::move(result));
        });
    impl_->attempts.emplace(id, attempt);
    attempt->start();
    return id;
}

void AsioReactor::cancel_connect(ConnectId attempt) {
    const auto entry = impl_->attempts.extract(attempt);
    if (entry) entry.mapped()->cancel();
}

codec::Result<std::unique_ptr<Acceptor>, Failure> AsioReactor::listen(const Address& at, Accepted accepted) {
    return io::make_asio_acceptor(impl_->context, at, std::move(accepted));
}

std::uint64_t AsioReactor::random() {
    const std::lock_guard lock(impl_->random_mutex);
    return impl_->generator();
}

}  // namespace aprotic::engine
