#include <aprotic/engine/core/handle_table.hpp>
#include <aprotic/engine/core/id_table.hpp>
#include <aprotic/engine/core/intrusive_list.hpp>
#include <aprotic/engine/core/ring.hpp>
#include <aprotic/engine/core/slot_map.hpp>
#include <aprotic/engine/core/timer_table.hpp>
#include <aprotic/engine/ids.hpp>

#include "support/alloc_counter.hpp"
#include "support/prng.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

using namespace aprotic;
using namespace aprotic::engine::core;

namespace {

struct Item {
    explicit Item(int v = 0) : value(v) {}
    int value;
    ListHook<Item> hook;
};
using Items = IntrusiveList<Item, &Item::hook>;
using ItemId = engine::Id<struct ItemTag>;

std::vector<int> values(const Items& list) {
    std::vector<int> found;
    list.for_each([&](Item& item) { found.push_back(item.value); });
    return found;
}

enum class Clock { first, second, count };

}  // namespace

TEST_CASE("an id kept after its object has gone names nothing", "[core]") {
    SlotMap<Item, ItemId> map;
    const auto [first, object] = map.emplace(1);
    CHECK(map.find(first) == object);
    CHECK(map.find(ItemId{}) == nullptr);
    map.erase(first);
    CHECK(map.find(first) == nullptr);
    const auto [second, successor] = map.emplace(2);
    CHECK(second.index == first.index);
    CHECK(map.find(first) == nullptr);
    CHECK(map.find(second) == successor);
    CHECK(map.size() == 1);
}

TEST_CASE("objects of a slot map stay where they are while others come", "[core]") {
    SlotMap<Item, ItemId> map;
    const auto [id, object] = map.emplace(1);
    for (int i = 0; i < 1000; ++i) map.emplace(i);
    CHECK(map.find(id) == object);
    int count = 0;
    map.for_each([&](Item& item) { count += item.value == 1 ? 1 : 0; });
    CHECK(count == 2);
}

TEST_CASE("a slot map without objects has no memory, and a steady population asks for no more", "[core]") {
    const test::AllocationScope empty;
    SlotMap<Item, ItemId> map;
    CHECK(empty.count() == 0);
    std::array<ItemId, 100> ids;
    const auto come = [&] {
        for (ItemId& id : ids) id = map.emplace(1).first;
    };
    const auto go = [&] {
        for (const ItemId id : ids) map.erase(id);
    };
    come();
    go();
    const test::AllocationScope steady;
    come();
    go();
    CHECK(steady.count() == 0);
}

TEST_CASE("a list keeps its order while members come and go", "[core]") {
    Items list;
    Item a(1), b(2), c(3);
    for (Item* item : {&a, &b, &c}) list.push_back(*item);
    list.push_back(a);
    CHECK(values(list) == std::vector<int>{1, 2, 3});
    list.remove(b);
    list.remove(b);
    CHECK(values(list) == std::vector<int>{1, 3});
    CHECK(&list.pop_front() == &a);
    list.push_back(a);
    CHECK(values(list) == std::vector<int>{3, 1});
    list.for_each([&](Item& item) { list.remove(item); });
    CHECK(list.empty());
    CHECK(list.size() == 0);
}

TEST_CASE("a list is a queue whoever leaves it, and knows its back", "[core]") {
    Items list;
    std::array<Item, 8> items;
    for (std::size_t i = 0; i < items.size(); ++i) items[i].value = static_cast<int>(i);
    std::deque<int> model;
    test::Prng prng(3);
    for (int i = 0; i < 5000; ++i) {
        Item& item = items[prng.below(items.size())];
        const bool there = Items::contains(item);
        REQUIRE(there == (std::find(model.begin(), model.end(), item.value) != model.end()));
        if (there) {
            list.remove(item);
            std::erase(model, item.value);
        } else {
            list.push_back(item);
            model.push_back(item.value);
        }
        REQUIRE(values(list) == std::vector<int>(model.begin(), model.end()));
        REQUIRE(list.size() == model.size());
        REQUIRE(list.front() == (model.empty() ? nullptr : &items[static_cast<std::size_t>(model.front())]));
    }
}

TEST_CASE("a ring is a queue", "[core]") {
    Ring<std::unique_ptr<int>> ring;
    std::deque<int> model;
    test::Prng prng(1);
    for (int i = 0; i < 5000; ++i) {
        if (prng.one_in(2) && !model.empty()) {
            CHECK(*ring.front() == model.front());
            CHECK(*ring.pop_front() == model.front());
            model.pop_front();
        } else {
            ring.push_back(std::make_unique<int>(i));
            model.push_back(i);
        }
        REQUIRE(ring.size() == model.size());
    }
    if (!model.empty()) CHECK(*ring.back() == model.back());
    ring.clear();
    CHECK(ring.empty());
}

TEST_CASE("a table of numbers finds what a map finds", "[core]") {
    IdTable<Item> table;
    std::map<std::uint32_t, std::unique_ptr<Item>> model;
    test::Prng prng(2);
    for (int i = 0; i < 20'000; ++i) {
        // Few homes, so that places are fought for, and both ends of the numbers.
        const auto number = static_cast<std::uint32_t>(prng.below(8) * 64 + prng.below(4) - 2);
        const auto found = model.find(number);
        REQUIRE(table.find(number) == (found == model.end() ? nullptr : found->second.get()));
        if (found != model.end()) {
            table.erase(number, *found->second);
            model.erase(found);
        } else {
            auto item = std::make_unique<Item>(i);
            table.insert(number, *item);
            model.emplace(number, std::move(item));
        }
        REQUIRE(table.size() == model.size());
    }
    std::size_t visited = 0;
    table.for_each([&](std::uint32_t number, Item& item) { visited += model.at(number).get() == &item ? 1U : 0U; });
    CHECK(visited == model.size());
}

TEST_CASE("a number that is used twice loses neither object", "[2.8.7-b]") {
    IdTable<Item> table;
    Item a, b;
    table.insert(7, a);
    table.insert(7, b);
    table.erase(7, b);
    CHECK(table.find(7) == &a);
    table.erase(7, b);
    CHECK(table.size() == 1);
    table.erase(7, a);
    CHECK(table.find(7) == nullptr);
    CHECK(table.empty());
}

TEST_CASE("a table of handles finds what a map finds, wherever the handles lie", "[core]") {
    HandleTable<Item> table;
    std::map<std::uint32_t, std::unique_ptr<Item>> model;
    test::Prng prng(4);
    for (int i = 0; i < 20'000; ++i) {
        // Low ones as peers take them, and some from the other end; those between begin high and get low neighbours.
        const auto handle = static_cast<std::uint32_t>(prng.one_in(4) ? prng.below(40) - 8 : prng.below(200));
        const auto found = model.find(handle);
        REQUIRE(table.find(handle) == (found == model.end() ? nullptr : found->second.get()));
        if (found == model.end()) {
            auto item = std::make_unique<Item>(i);
            table.insert(handle, *item);
            model.emplace(handle, std::move(item));
        } else {
            Item another;
            table.erase(handle, another);
            REQUIRE(table.find(handle) == found->second.get());
            table.erase(handle, *found->second);
            model.erase(found);
        }
    }
    for (const auto& [handle, item] : model) CHECK(table.find(handle) == item.get());
}

TEST_CASE("a handle that is high takes no more memory than one that is low", "[core]") {
    Item item;
    HandleTable<Item> table;
    const test::AllocationScope asked;
    table.insert(UINT32_MAX, item);
    CHECK(asked.octets() < 256);
    CHECK(table.find(UINT32_MAX) == &item);
}

TEST_CASE("the earliest deadline is next", "[core]") {
    using namespace std::chrono_literals;
    const engine::Instant start{1h};
    TimerTable<Clock> timers;
    CHECK_FALSE(timers.next());
    timers.set(Clock::first, start + 2s);
    timers.set(Clock::second, start + 1s);
    CHECK(timers.next() == start + 1s);
    CHECK_FALSE(timers.take_expired(Clock::first, start + 1s));
    CHECK(timers.take_expired(Clock::second, start + 1s));
    CHECK_FALSE(timers.take_expired(Clock::second, start + 1s));
    CHECK(timers.is_set(Clock::first));
    timers.stop(Clock::first);
    CHECK_FALSE(timers.next());
}
