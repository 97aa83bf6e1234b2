#include <aprotic/driver/bus/cancellations.hpp>

namespace aprotic::driver::bus {

std::stop_source Cancellations::expect(const std::string& id, std::optional<engine::Instant> deadline) {
    Entry& entry = requests_[id];
    ++entry.requests;
    if (early_notices_.contains(id)) entry.source.request_stop();
    if (deadline && entry.timer == 0)
        entry.timer = reactor_.start_timer(*deadline, [source = entry.source]() mutable { source.request_stop(); });
    return entry.source;
}

void Cancellations::forget(const std::string& id) {
    const auto at = requests_.find(id);
    if (at == requests_.end() || --at->second.requests > 0) return;
    reactor_.cancel_timer(at->second.timer);
    requests_.erase(at);
}

void Cancellations::notice(const std::string& id) {
    if (const auto at = requests_.find(id); at != requests_.end()) {
        auto source = at->second.source;  // what it calls may end the request
        source.request_stop();
        return;
    }
    if (!early_notices_.insert(id).second) return;
    early_notices_in_order_.push_back(id);
    if (early_notices_in_order_.size() <= early_notices_max) return;
    early_notices_.erase(early_notices_in_order_.front());
    early_notices_in_order_.pop_front();
}

}  // namespace aprotic::driver::bus
