#pragma once

#include <cstddef>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <stop_token>
#include <string>

#include <aprotic/engine/reactor.hpp>

namespace aprotic::driver::bus {

/// The requests of a server whose callers may give them up, from receipt to their end. Reactor's thread only.
class Cancellations {
public:
    explicit Cancellations(engine::Reactor& reactor) : reactor_(reactor) {}

    /// A request with this message-id has come. Its source stops with the notice, which may have come before, or at the
    /// deadline.
    std::stop_source expect(const std::string& id, std::optional<engine::Instant> deadline);
    void forget(const std::string& id);
    /// The caller has given it up.
    void notice(const std::string& id);

    std::size_t size() const noexcept { return requests_.size(); }

private:
    /// Notices of requests that are not here: at other servers, or yet to come.
    static constexpr std::size_t early_notices_max = 1000;

    struct Entry {
        std::stop_source source;
        engine::Reactor::TimerId timer = 0;
        std::size_t requests = 0;  ///< delivered more than once, it is here more than once
    };
    engine::Reactor& reactor_;
    std::map<std::string, Entry> requests_;
    std::set<std::string> early_notices_;
    std::deque<std::string> early_notices_in_order_;
};

}  // namespace aprotic::driver::bus
