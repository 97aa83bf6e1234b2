#pragma once

#include <array>
#include <cstddef>
#include <optional>

#include <aprotic/engine/time.hpp>

namespace aprotic::engine::core {

/// One deadline per kind of timer; `Timer` is an enum whose last enumerator is `count`.
template <class Timer>
class TimerTable {
public:
    void set(Timer timer, Instant when) noexcept { at(timer) = when; }
    void stop(Timer timer) noexcept { at(timer).reset(); }
    bool is_set(Timer timer) const noexcept { return deadlines_[static_cast<std::size_t>(timer)].has_value(); }

    /// The earliest deadline.
    std::optional<Instant> next() const noexcept {
        std::optional<Instant> earliest;
        for (const auto& deadline : deadlines_) {
            if (deadline && (!earliest || *deadline < *earliest)) earliest = deadline;
        }
        return earliest;
    }

    /// Whether the timer's deadline has come; if so it is stopped.
    [[nodiscard]] bool take_expired(Timer timer, Instant now) noexcept {
        auto& deadline = at(timer);
        if (!deadline || now < *deadline) return false;
        deadline.reset();
        return true;
    }

private:
    std::optional<Instant>& at(Timer timer) noexcept { return deadlines_[static_cast<std::size_t>(timer)]; }

    std::array<std::optional<Instant>, static_cast<std::size_t>(Timer::count)> deadlines_{};
};

}  // namespace aprotic::engine::core
