#include <aprotic/engine/failure.hpp>
#include <aprotic/engine/function.hpp>
#include <aprotic/engine/ids.hpp>
#include <aprotic/engine/options.hpp>

#include <catch2/catch.hpp>

#include <array>
#include <memory>
#include <string>

using namespace aprotic;
using namespace aprotic::engine;

TEST_CASE("the default options are usable", "[2.7.1-f]") {
    ConnectionOptions options;
    CHECK(validate(options));
}

TEST_CASE("an option out of range is named with what was expected", "[2.7.1-f][2.4.5-e]") {
    const auto complaint = [](auto change) {
        ConnectionOptions options;
        change(options);
        return validate(options).error();
    };
    CHECK(complaint([](auto& o) { o.limits.frame_size_max = 511; }).find("frame_size_max is 511") != std::string::npos);
    CHECK(complaint([](auto& o) { o.limits.incoming_window = 0; }).find("incoming_window") != std::string::npos);
    CHECK(complaint([](auto& o) { o.idle_timeout = std::chrono::milliseconds(1); }).find("idle_timeout") !=
          std::string::npos);
    CHECK(complaint([](auto& o) { o.connect_timeout = {}; }).find("connect_timeout") != std::string::npos);
    CHECK(complaint([](auto& o) { o.close_timeout = {}; }).find("close_timeout") != std::string::npos);
    CHECK(complaint([](auto& o) { o.sasl.password = "x"; }).find("sasl.password") != std::string::npos);
    CHECK(complaint([](auto& o) {
              o.sasl_server.required = true;
              o.sasl_server.offer = false;
          }).find("sasl_server.required") != std::string::npos);
}

TEST_CASE("a failure is one line with our text and, apart from it, the peer's words", "[2.8.14-c]") {
    Failure failure;
    failure.code = make_error_code(Errc::refused);
    CHECK(failure.message() == "the peer refused the link");
    failure.text = "the link to 'a' was refused";
    failure.condition = codec::ErrorCondition{"amqp:not-found", std::nullopt, {}};
    CHECK(failure.message() == "the link to 'a' was refused: amqp:not-found");
    failure.condition->description = "no such node";
    CHECK(failure.message() == "the link to 'a' was refused: amqp:not-found \"no such node\"");
}

TEST_CASE("every error code has a text of its own", "[core]") {
    std::string before;
    for (int code = static_cast<int>(Errc::closed); code <= static_cast<int>(Errc::protocol_violation); ++code) {
        const std::string text = make_error_code(static_cast<Errc>(code)).message();
        CHECK(text != "unknown engine error");
        CHECK(text != before);
        before = text;
    }
    CHECK(std::error_code(999, engine_category()).message() == "unknown engine error");
}

TEST_CASE("an id of generation 0 names nothing", "[core]") {
    CHECK_FALSE(LinkId{});
    CHECK(LinkId{0, 1});
    CHECK(LinkId{0, 1} != LinkId{0, 2});
}

TEST_CASE("a function keeps small and large callables, moves them and lets them go once", "[core]") {
    const auto counter = std::make_shared<int>(0);
    Function<int(int)> empty;
    CHECK_FALSE(empty);
    {
        Function<int(int)> small = [counter](int x) { return x + ++*counter; };
        Function<int(int)> large = [counter, padding = std::array<char, 200>{}](int x) {
            return x + static_cast<int>(padding.size()) + ++*counter;
        };
        CHECK(counter.use_count() == 3);
        CHECK(small(1) == 2);
        CHECK(large(1) == 203);
        Function<int(int)> moved = std::move(large);
        CHECK_FALSE(large);
        CHECK(moved(0) == 203);
        small = std::move(moved);
        CHECK(counter.use_count() == 2);
        CHECK(small(0) == 204);
    }
    CHECK(counter.use_count() == 1);
}
