#include <aprotic/driver/bus/reply_window.hpp>

#include <utility>

#include <aprotic/driver/bus/envelope.hpp>

namespace aprotic::driver::bus {
namespace {

ReplyWindow::Text refusal(const char* type, const char* why) {
    return std::make_shared<const std::string>(reply_text(Reply(MethodError(type, why).error())));
}

}  // namespace

ReplyWindow::Verdict ReplyWindow::begin(const std::string& key, std::uint64_t content, engine::Instant now,
                                        const std::stop_source& stop, Waiter waiter) {
    using Kind = Verdict::Kind;
    const std::lock_guard lock(mutex_);
    shrink(now);
    const auto [at, is_new] = entries_.try_emplace(key);
    Entry& entry = at->second;
    if (is_new) {
        entry.content = content;
        entry.running = stop;
        return {Kind::run};
    }
    if (entry.content != content)
        return {Kind::answer, refusal("ValueError", "the idempotency key was used for another request")};
    if (entry.reply) return {Kind::answer, entry.reply};
    if (entry.waiters.size() >= waiters_max)
        return {Kind::answer, refusal("RuntimeError", "too many repeats wait for the request with this key")};
    entry.waiters.push_back(std::move(waiter));
    return {Kind::wait, nullptr, entry.running};
}

void ReplyWindow::finish(const std::string& key, Text reply, engine::Instant now, bool keep) {
    std::vector<Waiter> waiters;
    {
        const std::lock_guard lock(mutex_);
        const auto at = entries_.find(key);
        if (at == entries_.end()) return;
        waiters = std::move(at->second.waiters);
        at->second.waiters.clear();
        if (keep) {
            Entry& entry = at->second;
            entry.reply = reply;
            entry.running = std::stop_source(std::nostopstate);
            if (key.size() + reply->size() > bounds_.bytes_max)
                entry.reply = refusal("RuntimeError", "it was run, and its reply was too large to be kept");
            answered_.push_back({now, key, key.size() + entry.reply->size()});
            bytes_ += answered_.back().bytes;
        } else {
            entries_.erase(at);
        }
        shrink(now);
    }
    for (auto& waiter : waiters) waiter(reply);
}

void ReplyWindow::shrink(engine::Instant now) {
    while (!answered_.empty() && (answered_.size() > bounds_.count_max || bytes_ > bounds_.bytes_max ||
                                  now - answered_.front().when > bounds_.time_max)) {
        bytes_ -= answered_.front().bytes;
        entries_.erase(answered_.front().key);
        answered_.pop_front();
    }
}

std::size_t ReplyWindow::bytes() const {
    const std::lock_guard lock(mutex_);
    return bytes_;
}

std::size_t ReplyWindow::size() const {
    const std::lock_guard lock(mutex_);
    return entries_.size();
}

}  // namespace aprotic::driver::bus
