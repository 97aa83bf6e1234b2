#include <utility>

#include <aprotic/engine/state/recycler.hpp>

namespace aprotic::engine {

Recycler::~Recycler() {
    for (Free*& first : free_) {
        while (first != nullptr) ::operator delete(std::exchange(first, first->next));
    }
}

void* Recycler::take(std::size_t bytes) {
    const std::size_t size = rounded(bytes);
    if (size == 0 || size > largest) return ::operator new(bytes);
    {
        const std::lock_guard lock(mutex_);
        Free*& first = blocks_of(size);
        if (first != nullptr) {
            kept_ -= size;
            return std::exchange(first, first->next);
        }
    }
    return ::operator new(size);
}

void Recycler::give_back(void* block, std::size_t bytes) noexcept {
    const std::size_t size = rounded(bytes);
    if (size != 0 && size <= largest) {
        const std::lock_guard lock(mutex_);
        if (kept_ + size <= kept_max) {
            kept_ += size;
            Free*& first = blocks_of(size);
            first = ::new (block) Free{first};
            return;
        }
    }
    ::operator delete(block);
}

}  // namespace aprotic::engine
