#include <aprotic/driver/operation.hpp>

#include <aprotic/driver/bus/bus.hpp>
#include <aprotic/driver/bus/call_state.hpp>

namespace aprotic::driver {

void CallHandle::cancel() const {
    const auto bus = state_ ? state_->bus.lock() : nullptr;
    if (!bus) return;
    bus->post([letters = state_->letters](bus::Bus& on_reactor) {
        for (const auto& letter : letters)
            if (const auto alive = letter.lock()) on_reactor.cancel(alive);
    });
}

}  // namespace aprotic::driver
