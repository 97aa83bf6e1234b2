#include <aprotic/engine/core/session_windows.hpp>

#include <catch2/catch.hpp>

using namespace aprotic::engine::core;

TEST_CASE("nothing may be sent before the partner's begin gave a window", "[2.5.6-b]") {
    SessionWindows windows(10);
    CHECK(windows.sendable() == 0);
    windows.recv_begin(SerialNumber(5), 3, 100);
    CHECK(windows.sendable() == 3);
    CHECK(windows.next_incoming_id() == SerialNumber(5));
}

TEST_CASE("each transfer takes one of the partner's window", "[2.5.6-c]") {
    SessionWindows windows(10);
    windows.recv_begin(SerialNumber(0), 3, 100);
    for (int i = 0; i < 3; ++i) {
        REQUIRE(windows.sendable() > 0);
        windows.send_transfer();
    }
    CHECK(windows.sendable() == 0);
    CHECK(windows.next_outgoing_id() == SerialNumber(3));
}

TEST_CASE("what crossed a flow on the wire is subtracted from the window it gives", "[2.5.6-c]") {
    SessionWindows windows(10);
    windows.recv_begin(SerialNumber(0), 8, 100);
    for (int i = 0; i < 5; ++i) windows.send_transfer();
    windows.recv_flow(SerialNumber(2), 8, SerialNumber(0), 100);  // had seen two of the five
    CHECK(windows.sendable() == 5);
    windows.recv_flow(SerialNumber(1), 4, SerialNumber(0), 100);  // stale: four are on their way
    CHECK(windows.sendable() == 0);
}

TEST_CASE("a partner that has not seen our begin counts from our first id", "[2.5.6-d]") {
    SessionWindows windows(10, SerialNumber(100));
    windows.recv_begin(SerialNumber(0), 8, 100);
    windows.send_transfer();
    windows.recv_flow(std::nullopt, 8, SerialNumber(0), 100);
    CHECK(windows.sendable() == 7);
}

TEST_CASE("transfer ids wrap without closing the window", "[2.5.6-a]") {
    SessionWindows windows(10, SerialNumber(0xffff'fffe));
    windows.recv_begin(SerialNumber(0xffff'fffe), 4, 100);
    for (int i = 0; i < 4; ++i) {
        REQUIRE(windows.sendable() > 0);
        windows.send_transfer();
        REQUIRE(windows.recv_transfer());
    }
    CHECK(windows.next_outgoing_id() == SerialNumber(2));
    CHECK(windows.next_incoming_id() == SerialNumber(2));
    windows.recv_flow(SerialNumber(0xffff'ffff), 4, SerialNumber(2), 100);
    CHECK(windows.sendable() == 1);
}

TEST_CASE("a partner that claims to have seen more than we sent gets no more than its window", "[2.5.6-c]") {
    SessionWindows windows(10);
    windows.recv_begin(SerialNumber(0), 4, 100);
    windows.recv_flow(SerialNumber(50), 4, SerialNumber(0), 100);
    CHECK(windows.sendable() == 4);
}

TEST_CASE("a transfer outside of our window is noticed and not counted", "[2.5.6-f]") {
    SessionWindows windows(2);
    CHECK(windows.recv_transfer());
    CHECK(windows.recv_transfer());
    CHECK_FALSE(windows.recv_transfer());
    CHECK(windows.next_incoming_id() == SerialNumber(2));
}

TEST_CASE("the window is given again at half", "[2.5.6-i]") {
    SessionWindows windows(4);
    CHECK_FALSE(windows.should_reopen());
    CHECK(windows.recv_transfer());
    CHECK_FALSE(windows.should_reopen());
    CHECK(windows.recv_transfer());
    CHECK(windows.should_reopen());
    CHECK(windows.reopen() == 4);
    CHECK_FALSE(windows.should_reopen());
}

TEST_CASE("a window that was made smaller still takes what was on its way", "[2.5.6-f]") {
    SessionWindows windows(4);
    CHECK_FALSE(windows.should_reopen(2));
    CHECK(windows.reopen(2) == 2);
    CHECK(windows.recv_transfer());
    CHECK(windows.incoming_window() == 1);
    CHECK(windows.should_reopen(2));
    CHECK_FALSE(windows.should_reopen(1));
    CHECK_FALSE(windows.should_reopen(0));
    CHECK(windows.reopen(0) == 0);
    for (int i = 0; i < 3; ++i) CHECK(windows.recv_transfer());
    CHECK_FALSE(windows.recv_transfer());
    CHECK(windows.should_reopen());
    CHECK(windows.reopen() == 4);
}

TEST_CASE("a flow moves the next incoming id and the partner's outgoing window", "[2.5.6-g][2.5.6-h]") {
    SessionWindows windows(10);
    windows.recv_begin(SerialNumber(0), 4, 3);
    CHECK(windows.recv_transfer());
    CHECK(windows.remote_outgoing_window() == 2);
    windows.recv_flow(SerialNumber(0), 4, SerialNumber(6), 50);
    CHECK(windows.next_incoming_id() == SerialNumber(6));
    CHECK(windows.remote_outgoing_window() == 50);
}
