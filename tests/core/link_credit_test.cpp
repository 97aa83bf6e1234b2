#include <aprotic/engine/core/link_credit.hpp>

#include <catch2/catch.hpp>

using namespace aprotic::engine::core;

TEST_CASE("no credit is assumed before the first flow", "[2.6.7-r]") {
    SenderCredit credit;
    CHECK(credit.available() == 0);
    CHECK_FALSE(credit.begin_delivery());
    CHECK(credit.delivery_count() == SerialNumber(0));
}

TEST_CASE("deliveries begun while a flow was on its way are subtracted from what it grants", "[2.6.7-b]") {
    SenderCredit credit(SerialNumber(10));
    credit.recv_flow({.delivery_count = SerialNumber(10), .link_credit = 5});
    REQUIRE(credit.begin_delivery());
    REQUIRE(credit.begin_delivery());

    credit.recv_flow({.delivery_count = SerialNumber(11), .link_credit = 5});  // the receiver had seen one of the two

    CHECK(credit.available() == 4);
}

TEST_CASE("the count wraps at 2^32 without losing credit", "[2.6.7-e]") {
    SenderCredit credit(SerialNumber(0xffff'fffe));
    credit.recv_flow({.delivery_count = SerialNumber(0xffff'fffe), .link_credit = 4});
    for (int i = 0; i < 4; ++i) REQUIRE(credit.begin_delivery());
    CHECK_FALSE(credit.begin_delivery());
    CHECK(credit.delivery_count() == SerialNumber(2));
}

TEST_CASE("credit withdrawn below what was already sent is zero, not four billion", "[2.6.7-f]") {
    SenderCredit credit;
    credit.recv_flow({.delivery_count = SerialNumber(0), .link_credit = 3});
    REQUIRE(credit.begin_delivery());
    REQUIRE(credit.begin_delivery());
    credit.recv_flow({.delivery_count = SerialNumber(0), .link_credit = 1});
    CHECK(credit.available() == 0);
}

TEST_CASE("a drain spends what is left and owes exactly one flow", "[2.6.7-h]") {
    SenderCredit credit;
    credit.recv_flow({.delivery_count = SerialNumber(0), .link_credit = 8, .drain = true});
    REQUIRE(credit.begin_delivery());
    CHECK(credit.finish_drain());
    CHECK(credit.delivery_count() == SerialNumber(8));
    CHECK_FALSE(credit.finish_drain());
}

TEST_CASE("new credit while draining is drained too", "[2.6.7-j]") {
    SenderCredit credit;
    credit.recv_flow({.delivery_count = SerialNumber(0), .link_credit = 2, .drain = true});
    CHECK(credit.finish_drain());
    credit.recv_flow({.delivery_count = SerialNumber(2), .link_credit = 5, .drain = true});
    CHECK(credit.finish_drain());
    CHECK(credit.delivery_count() == SerialNumber(7));
    credit.recv_flow({.delivery_count = SerialNumber(7), .link_credit = 5});
    CHECK_FALSE(credit.finish_drain());
}

TEST_CASE("a receiver that has not seen our attach counts from its initial value", "[2.6.7-c]") {
    SenderCredit credit(SerialNumber(7));
    credit.recv_flow({.delivery_count = std::nullopt, .link_credit = 2});
    CHECK(credit.available() == 2);
}

TEST_CASE("the largest grant is a grant", "[2.6.7-g]") {
    SenderCredit credit;
    credit.recv_flow({.delivery_count = SerialNumber(0), .link_credit = 0xffff'ffff});
    CHECK(credit.available() == 0xffff'ffff);
    CHECK(credit.begin_delivery());
}

TEST_CASE("a receiver knows no count before the sender's attach", "[2.6.7-o]") {
    ReceiverCredit credit;
    credit.set(5);
    CHECK_FALSE(credit.delivery_count());
    credit.recv_attach(SerialNumber(77));
    CHECK(credit.delivery_count() == SerialNumber(77));
    CHECK(credit.credit() == 5);
}

TEST_CASE("a delivery without credit is noticed", "[2.6.7-n]") {
    ReceiverCredit credit;
    credit.recv_attach(SerialNumber(0));
    CHECK_FALSE(credit.begin_delivery());
    credit.set(1);
    CHECK(credit.begin_delivery());
    CHECK_FALSE(credit.begin_delivery());
    CHECK(credit.delivery_count() == SerialNumber(1));
}

TEST_CASE("credit taken back may already be spent on the wire", "[2.6.7-f]") {
    ReceiverCredit credit;
    credit.recv_attach(SerialNumber(0));
    credit.set(3);
    credit.set(0);
    CHECK(credit.credit() == 0);
    for (int i = 0; i < 3; ++i) CHECK(credit.begin_delivery());
    CHECK_FALSE(credit.begin_delivery());
    credit.set(2);
    CHECK(credit.begin_delivery());
    CHECK(credit.credit() == 1);
}

TEST_CASE("a drain ends when the sender gives the credit back", "[2.6.7-h]") {
    ReceiverCredit credit;
    credit.recv_attach(SerialNumber(0xffff'fff0));
    credit.set(100);
    CHECK(credit.start_drain());
    CHECK(credit.begin_delivery());
    CHECK_FALSE(credit.take_drained());
    credit.recv_flow(SerialNumber(84), 0);  // 0xfffffff0 + 100, wrapped
    CHECK(credit.credit() == 0);
    CHECK(credit.take_drained());
    CHECK_FALSE(credit.take_drained());
    CHECK_FALSE(credit.begin_delivery());
}

TEST_CASE("a drain of the largest grant ends", "[2.6.7-g]") {
    ReceiverCredit credit;
    credit.recv_attach(SerialNumber(5));
    credit.set(0xffff'ffff);
    CHECK(credit.start_drain());
    credit.recv_flow(SerialNumber(4), 0);
    CHECK(credit.take_drained());
}

TEST_CASE("a drain without credit is over at once", "[2.6.7-k]") {
    ReceiverCredit credit;
    credit.recv_attach(SerialNumber(0));
    CHECK_FALSE(credit.start_drain());
    CHECK_FALSE(credit.draining());
}

TEST_CASE("new credit ends a drain", "[2.6.7-l]") {
    ReceiverCredit credit;
    credit.set(5);
    CHECK(credit.start_drain());
    credit.set(5);
    CHECK_FALSE(credit.draining());
}

TEST_CASE("what the sender has available never goes below zero", "[2.6.7-m]") {
    ReceiverCredit credit;
    credit.recv_attach(SerialNumber(0));
    credit.set(5);
    credit.recv_flow(SerialNumber(0), 1);
    CHECK(credit.available() == 1);
    CHECK(credit.begin_delivery());
    CHECK(credit.begin_delivery());
    CHECK(credit.available() == 0);
}
