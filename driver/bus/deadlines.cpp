#include <aprotic/driver/bus/deadlines.hpp>

#include <utility>

namespace aprotic::driver::bus {

void Deadlines::add(LetterPtr letter) {
    const std::size_t place = heap_.size();
    letter->deadline_place = place;
    heap_.push_back({letter->started + letter->timeout, std::move(letter)});
    rise(place);
}

void Deadlines::remove(const Letter& letter) {
    if (letter.deadline_place < heap_.size()) static_cast<void>(take(letter.deadline_place));
}

std::optional<engine::Instant> Deadlines::next() const {
    return heap_.empty() ? std::nullopt : std::optional(heap_.front().when);
}

LetterPtr Deadlines::take_due(engine::Instant now) {
    return heap_.empty() || heap_.front().when > now ? nullptr : take(0);
}

LetterPtr Deadlines::take(std::size_t place) {
    swap(place, heap_.size() - 1);
    LetterPtr taken = std::move(heap_.back().letter);
    heap_.pop_back();
    taken->deadline_place = SIZE_MAX;
    if (place < heap_.size()) {
        rise(place);
        sink(place);
    }
    return taken;
}

void Deadlines::rise(std::size_t place) {
    while (place > 0) {
        const std::size_t above = (place - 1) / 2;
        if (!heap_[place].is_before(heap_[above])) return;
        swap(place, above);
        place = above;
    }
}

void Deadlines::sink(std::size_t place) {
    while (true) {
        std::size_t first = place;
        for (std::size_t below = 2 * place + 1; below <= 2 * place + 2 && below < heap_.size(); ++below)
            if (heap_[below].is_before(heap_[first])) first = below;
        if (first == place) return;
        swap(place, first);
        place = first;
    }
}

void Deadlines::swap(std::size_t a, std::size_t b) noexcept {
    std::swap(heap_[a], heap_[b]);
    heap_[a].letter->deadline_place = a;
    heap_[b].letter->deadline_place = b;
}

}  // namespace aprotic::driver::bus
