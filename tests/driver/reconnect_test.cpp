#include <aprotic/driver/bus/reconnect.hpp>

#include <catch2/catch.hpp>

using namespace std::chrono_literals;
using aprotic::driver::bus::Reconnect;
using Input = Reconnect::Input;
using Kind = Reconnect::Action::Kind;
using Status = Reconnect::Status;

namespace {

constexpr Reconnect::Options options{.interval = 1s, .backoff = 2, .interval_max = 30s};

}  // namespace

TEST_CASE("all hosts of a round are tried at once, then come growing pauses") {
    Reconnect reconnect(options, 2, 1);
    auto action = reconnect.next(Input::start, 0);
    CHECK(action.kind == Kind::connect);
    CHECK(action.host == 1);
    const aprotic::engine::Duration pauses[] = {1s, 2s, 4s, 8s, 16s, 30s, 30s};
    for (const auto pause : pauses) {
        action = reconnect.next(Input::failed, 0);
        CHECK(action.kind == Kind::connect);
        CHECK(action.host == 0);
        action = reconnect.next(Input::failed, 0);
        CHECK(action.kind == Kind::wait);
        CHECK(action.pause == pause);
        CHECK(reconnect.status() == Status::waiting);
        action = reconnect.next(Input::timer, 0);
        CHECK(action.kind == Kind::connect);
        CHECK(action.host == 1);
    }
    CHECK(reconnect.failures() == 14);
}

TEST_CASE("a success resets the pause, and a loss waits before the next host") {
    Reconnect reconnect(options, 3, 0);
    reconnect.next(Input::start, 0);
    for (int i = 0; i < 3; ++i) reconnect.next(Input::failed, 0);
    reconnect.next(Input::timer, 0);
    CHECK(reconnect.next(Input::connected, 0).kind == Kind::none);
    CHECK(reconnect.status() == Status::connected);
    CHECK(reconnect.failures() == 0);
    const auto action = reconnect.next(Input::lost, 0);
    CHECK(action.kind == Kind::wait);
    CHECK(action.pause == 1s);
    CHECK(reconnect.next(Input::timer, 0).host == 1);
}

TEST_CASE("chance shortens a pause by less than a tenth") {
    for (const std::uint64_t chance : {0ull, 1ull, 99'999'999ull, 123456789123456789ull, ~0ull}) {
        Reconnect reconnect(options, 1, 0);
        reconnect.next(Input::start, chance);
        const auto pause = reconnect.next(Input::failed, chance).pause;
        CHECK(pause <= 1s);
        CHECK(pause > 900ms);
    }
}

TEST_CASE("a backoff below one keeps the pause") {
    Reconnect reconnect({.interval = 2s, .backoff = 0, .interval_max = 30s}, 1, 0);
    reconnect.next(Input::start, 0);
    for (int i = 0; i < 5; ++i) {
        CHECK(reconnect.next(Input::failed, 0).pause == 2s);
        reconnect.next(Input::timer, 0);
    }
}

TEST_CASE("pauses may grow by addition, and both ways together") {
    const auto pauses = [](const Reconnect::Options& how) {
        Reconnect reconnect(how, 1, 0);
        reconnect.next(Input::start, 0);
        std::vector<aprotic::engine::Duration> all;
        for (int i = 0; i < 5; ++i) {
            all.push_back(reconnect.next(Input::failed, 0).pause);
            reconnect.next(Input::timer, 0);
        }
        return all;
    };
    using Pauses = std::vector<aprotic::engine::Duration>;
    CHECK(pauses({.interval = 1s, .backoff = 1, .interval_max = 8s, .increment = 2s}) == Pauses{1s, 3s, 5s, 7s, 8s});
    CHECK(pauses({.interval = 1s, .backoff = 2, .interval_max = 30s, .increment = 1s}) == Pauses{1s, 3s, 7s, 15s, 30s});
}

TEST_CASE("chance takes no more of a pause than it may") {
    for (const double jitter : {0.0, 0.5, 1.0, 7.0, -1.0}) {
        for (const std::uint64_t chance : {0ull, 1ull, 499'999'999ull, 999'999'999ull, ~0ull}) {
            Reconnect reconnect({.interval = 1s, .interval_max = 30s, .jitter = jitter}, 1, 0);
            reconnect.next(Input::start, chance);
            const auto pause = reconnect.next(Input::failed, chance).pause;
            CHECK(pause <= 1s);
            CHECK(pause > 0s);
            if (jitter <= 0) CHECK(pause == 1s);
            if (jitter == 0.5) CHECK(pause > 500ms);
        }
    }
}

TEST_CASE("what does not belong to the status does nothing") {
    Reconnect reconnect(options, 1, 0);
    for (const Input input : {Input::connected, Input::failed, Input::lost, Input::timer, Input::stop})
        CHECK(reconnect.next(input, 0).kind == Kind::none);
    CHECK(reconnect.status() == Status::idle);
    reconnect.next(Input::start, 0);
    CHECK(reconnect.next(Input::start, 0).kind == Kind::none);
    CHECK(reconnect.next(Input::lost, 0).kind == Kind::none);
    CHECK(reconnect.next(Input::timer, 0).kind == Kind::none);
    CHECK(reconnect.status() == Status::connecting);
    reconnect.next(Input::stop, 0);
    CHECK(reconnect.status() == Status::idle);
    CHECK(reconnect.next(Input::start, 0).kind == Kind::connect);
}
