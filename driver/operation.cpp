#include <aprotic/driver/operation.hpp>

#include <aprotic/driver/bus/bus.hpp>

namespace aprotic::driver {

void CallHandle::cancel() const {
    const auto on = bus_.lock();
    if (!on) return;
    auto letters = more_;
    letters.push_back(letter_);
    on->post([letters = std::move(letters)](bus::Bus& on_reactor) {
        for (const auto& letter : letters)
            if (const auto alive = letter.lock()) on_reactor.cancel(alive);
    });
}

}  // namespace aprotic::driver
