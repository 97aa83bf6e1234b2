#include <aprotic/engine/core/unsettled.hpp>

#include <catch2/catch.hpp>

#include <deque>
#include <string>
#include <vector>

using namespace aprotic;
using namespace aprotic::engine::core;

namespace {

Delivery& make(std::deque<Delivery>& store, std::uint32_t number) {
    Delivery& delivery = store.emplace_back(nullptr);
    delivery.number = number;
    return delivery;
}

std::vector<std::uint32_t> numbers(const Unsettled& unsettled, std::uint32_t first, std::uint32_t last) {
    std::vector<Delivery*> found;
    unsettled.find_range(first, last, found);
    std::vector<std::uint32_t> result;
    for (const Delivery* delivery : found) result.push_back(delivery->number);
    return result;
}

std::string text(DispositionQueue& queue) {
    std::string result;
    for (const auto& range : queue.merged()) {
        if (!result.empty()) result += " ";
        result += std::to_string(range.first) + "-" + std::to_string(range.last) + (range.settled ? "s" : "u");
        if (range.state) result += std::string(1, codec::name_of(*range.state)[0]);
    }
    return result;
}

}  // namespace

TEST_CASE("a range names what is in it and nothing else, also across the wrap", "[2.7.6-b]") {
    std::deque<Delivery> store;
    Unsettled unsettled;
    for (const std::uint32_t number : {0xffff'fffeU, 0xffff'ffffU, 0U, 1U, 5U}) unsettled.insert(make(store, number));
    using Numbers = std::vector<std::uint32_t>;
    CHECK(numbers(unsettled, 0, 0) == Numbers{0});
    CHECK(numbers(unsettled, 0xffff'ffff, 1) == Numbers{0xffff'ffff, 0, 1});
    CHECK(numbers(unsettled, 0xffff'fff0, 100) == Numbers{0xffff'fffe, 0xffff'ffff, 0, 1, 5});
    CHECK(numbers(unsettled, 2, 4).empty());
    unsettled.erase(store[2]);
    CHECK(numbers(unsettled, 0xffff'ffff, 1) == Numbers{0xffff'ffff, 1});
}

TEST_CASE("a range that runs backwards is empty and costs nothing", "[2.7.6-d]") {
    std::deque<Delivery> store;
    Unsettled unsettled;
    unsettled.insert(make(store, 5));
    CHECK(numbers(unsettled, 9, 2).empty());
    CHECK(numbers(unsettled, 0, 0xffff'ffff).empty());  // -1 steps
    CHECK(numbers(unsettled, 0, 0x7fff'ffff) == std::vector<std::uint32_t>{5});
}

TEST_CASE("neighbours with the same outcome leave in one range, in any order of settling", "[2.6.12-k]") {
    std::deque<Delivery> store;
    DispositionQueue queue;
    for (const std::uint32_t number : {1U, 2U, 3U}) queue.add(make(store, number), true, codec::Accepted{});
    CHECK(text(queue) == "1-3sa");
    for (const std::uint32_t number : {9U, 7U, 8U, 4U}) queue.add(make(store, number), true, codec::Accepted{});
    CHECK(text(queue) == "1-4sa 7-9sa");
}

TEST_CASE("different outcomes and unsettled states stay apart", "[2.7.6-b]") {
    std::deque<Delivery> store;
    DispositionQueue queue;
    queue.add(make(store, 1), true, codec::Accepted{});
    queue.add(make(store, 2), true, codec::Released{});
    queue.add(make(store, 3), false, codec::Released{});
    queue.add(make(store, 4), true, std::nullopt);
    queue.add(make(store, 5), true, codec::Rejected{codec::ErrorCondition{"a", {}, {}}});
    queue.add(make(store, 6), true, codec::Rejected{codec::ErrorCondition{"b", {}, {}}});
    CHECK(text(queue) == "1-1sa 2-2sr 3-3ur 4-4s 5-5sr 6-6sr");
    queue.pop(4);
    CHECK(text(queue) == "5-5sr 6-6sr");
}

TEST_CASE("ranges join across the wrap", "[2.7.6-b]") {
    std::deque<Delivery> store;
    DispositionQueue queue;
    queue.add(make(store, 0), true, codec::Accepted{});
    queue.add(make(store, 0xffff'ffff), true, codec::Accepted{});
    CHECK(text(queue) == "4294967295-0sa");
}

TEST_CASE("two states of one delivery are told in their order", "[2.6.12-j]") {
    std::deque<Delivery> store;
    DispositionQueue queue;
    Delivery& third = make(store, 3);
    queue.add(third, false, codec::Received{});
    queue.add(third, true, codec::Accepted{});
    for (const std::uint32_t number : {2U, 1U}) queue.add(make(store, number), true, codec::Accepted{});
    CHECK(text(queue) == "3-3ur 1-3sa");
    queue.pop(2);
    CHECK(queue.empty());
    queue.add(make(store, 4), true, codec::Accepted{});
    CHECK(text(queue) == "4-4sa");
}
