#include <aprotic/driver/bus/reconnect.hpp>

#include <algorithm>

#include <aprotic/codec/assert.hpp>

namespace aprotic::driver::bus {

Reconnect::Reconnect(Options options, std::size_t hosts, std::size_t first_host)
    : options_(options), hosts_(hosts), host_(first_host % hosts), pause_(options.interval) {
    APROTIC_ASSERT(hosts > 0);
}

Reconnect::Action Reconnect::next(Input input, std::uint64_t chance) {
    switch (input) {
        case Input::start:
            if (status_ != Status::idle) return {};
            failures_ = 0;
            tried_in_round_ = 0;
            pause_ = options_.interval;
            return connect();
        case Input::connected:
            if (status_ != Status::connecting) return {};
            status_ = Status::connected;
            failures_ = 0;
            pause_ = options_.interval;
            return {};
        case Input::failed:
            if (status_ != Status::connecting) return {};
            ++failures_;
            host_ = (host_ + 1) % hosts_;
            // The other hosts are asked at once; the pause comes when all have failed.
            return tried_in_round_ < hosts_ ? connect() : wait(chance);
        case Input::lost:
            if (status_ != Status::connected) return {};
            host_ = (host_ + 1) % hosts_;
            // Never at once: a broker that takes and drops connections would be asked in a tight loop.
            return wait(chance);
        case Input::timer:
            if (status_ != Status::waiting) return {};
            tried_in_round_ = 0;
            return connect();
        case Input::stop: status_ = Status::idle; return {};
    }
    return {};
}

Reconnect::Action Reconnect::connect() {
    status_ = Status::connecting;
    ++tried_in_round_;
    return {Action::Kind::connect, host_, {}};
}

Reconnect::Action Reconnect::wait(std::uint64_t chance) {
    status_ = Status::waiting;
    const Duration pause = std::min(pause_, options_.interval_max);
    const double longer = static_cast<double>(pause.count()) * std::max(options_.backoff, 1.0) +
                          static_cast<double>(options_.increment.count());
    pause_ = longer < static_cast<double>(options_.interval_max.count()) ? Duration(static_cast<Duration::rep>(longer))
                                                                         : options_.interval_max;
    const auto most =
        static_cast<std::uint64_t>(static_cast<double>(pause.count()) * std::clamp(options_.jitter, 0.0, 1.0));
    return {Action::Kind::wait, host_, pause - Duration(static_cast<Duration::rep>(most > 0 ? chance % most : 0))};
}

}  // namespace aprotic::driver::bus
