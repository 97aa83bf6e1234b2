#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include <aprotic/driver/bus/letter.hpp>
#include <aprotic/engine/time.hpp>

namespace aprotic::driver::bus {

/// Letters by deadline. Most end long before theirs, and have similar ones: adding and taking out is then a matter of a
/// few steps. Reactor's thread only.
class Deadlines {
public:
    void add(LetterPtr letter);
    /// Nothing happens when it is not here.
    void remove(const Letter& letter);
    /// The earliest.
    std::optional<engine::Instant> next() const;
    /// Takes out the one that is due longest; null when none is.
    LetterPtr take_due(engine::Instant now);

private:
    struct Entry {
        engine::Instant when;
        LetterPtr letter;

        /// Of equal deadlines that of the older letter.
        bool is_before(const Entry& other) const noexcept {
            return when != other.when ? when < other.when : letter->number < other.letter->number;
        }
    };

    LetterPtr take(std::size_t place);
    void rise(std::size_t place);
    void sink(std::size_t place);
    void swap(std::size_t a, std::size_t b) noexcept;

    std::vector<Entry> heap_;  ///< each letter knows its place
};

}  // namespace aprotic::driver::bus
