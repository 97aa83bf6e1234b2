// Where the bus keeps letters: in order of submission, and by deadline.
#include <aprotic/driver/bus/deadlines.hpp>
#include <aprotic/driver/bus/letter.hpp>

#include <map>
#include <memory>
#include <random>
#include <utility>
#include <vector>

#include <catch2/catch.hpp>

using namespace aprotic::driver;
using namespace aprotic::driver::bus;

namespace {

LetterPtr letter_with(std::uint64_t number, Duration timeout) {
    auto letter = std::make_shared<Letter>();
    letter->number = number;
    letter->timeout = timeout;
    return letter;
}

}  // namespace

TEST_CASE("letters come out by deadline, equal ones in order, whatever is taken out before") {
    std::mt19937 chance(3);
    Deadlines deadlines;
    std::map<std::pair<Duration, std::uint64_t>, LetterPtr> expected;
    for (std::uint64_t number = 1; number <= 2000; ++number) {
        auto letter = letter_with(number, std::chrono::milliseconds(chance() % 300));
        expected.emplace(std::pair(letter->timeout, number), letter);
        deadlines.add(letter);
        if (chance() % 3 != 0) continue;
        const auto gone = std::next(expected.begin(), chance() % expected.size());
        deadlines.remove(*gone->second);
        deadlines.remove(*gone->second);  // nothing happens
        expected.erase(gone);
    }
    CHECK(deadlines.next() == aprotic::engine::Instant(expected.begin()->first.first));
    const aprotic::engine::Instant middle(std::chrono::milliseconds(150));
    while (const auto due = deadlines.take_due(middle)) {
        REQUIRE(due == expected.begin()->second);
        expected.erase(expected.begin());
    }
    REQUIRE_FALSE(expected.empty());
    CHECK(expected.begin()->first.first > std::chrono::milliseconds(150));
    while (const auto due = deadlines.take_due(aprotic::engine::Instant::max())) {
        REQUIRE(due == expected.begin()->second);
        expected.erase(expected.begin());
    }
    CHECK(expected.empty());
    CHECK_FALSE(deadlines.next());
}

TEST_CASE("a list of letters keeps their order, and lets go of each") {
    LetterList list;
    std::vector<LetterPtr> letters;
    for (std::uint64_t number = 1; number <= 5; ++number) {
        letters.push_back(letter_with(number, {}));
        list.add(letters.back());
    }
    const auto all = [](const Letter&) { return true; };
    CHECK(list.find(all) == letters);
    for (const std::size_t gone : {2, 0, 2}) {  // in the middle, in front, at the end
        CHECK(list.remove(*letters[gone]));
        CHECK_FALSE(list.remove(*letters[gone]));
        CHECK(letters[gone].use_count() == 1);
        letters.erase(letters.begin() + static_cast<std::ptrdiff_t>(gone));
        CHECK(list.find(all) == letters);
    }
    CHECK(list.find([](const Letter& letter) { return letter.number == 4; }).size() == 1);
    list.add(letter_with(6, {}));
    CHECK(list.find(all).size() == 3);
}

TEST_CASE("a list of very many letters can be dropped") {
    LetterList list;
    for (std::uint64_t number = 0; number < 300'000; ++number) list.add(letter_with(number, {}));
    CHECK_FALSE(list.empty());
}
