#include <aprotic/driver/bus/letter.hpp>

#include <utility>

namespace aprotic::driver::bus {

Letter::~Letter() {
    if (!done) return;
    CallFailure failure;
    failure.code = Errc::closed;
    failure.address = address;
    failure.text = "the transport was closed";
    end(std::move(failure));
}

void Letter::end(Result<Json> result) {
    stage = Stage::ended;
    if (!done) return;
    auto callback = std::exchange(done, nullptr);
    callback(std::move(result));
}

}  // namespace aprotic::driver::bus
