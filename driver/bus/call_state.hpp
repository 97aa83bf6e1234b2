#pragma once

#include <memory>
#include <vector>

#include <aprotic/driver/bus/letter.hpp>
#include <aprotic/driver/operation.hpp>

namespace aprotic::driver {

namespace bus {
class Bus;
}

/// Where to find what a handle names: the letters of one operation, which all end when it is cancelled.
struct CallHandle::State {
    std::weak_ptr<bus::Bus> bus;
    std::vector<std::weak_ptr<bus::Letter>> letters;
};

}  // namespace aprotic::driver
