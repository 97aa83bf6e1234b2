#include <utility>

#include <aprotic/engine/state/recycler.hpp>

namespace aprotic::engine {

Recycler::~Recycler() {
    for (Kept* const all : {&here_, &anywhere_}) {
        for (Free*& first : all->blocks) {
            while (first != nullptr) ::operator delete(std::exchange(first, first->next));
        }
    }
}

void* Recycler::take(std::size_t bytes) {
    const std::size_t size = rounded(bytes);
    if (size == 0 || size > largest) return ::operator new(bytes);
    {
        const std::lock_guard lock(mutex_);
        Free*& first = anywhere_.blocks_of(size);
        if (first != nullptr) {
            anywhere_.kept -= size;
            return std::exchange(first, first->next);
        }
    }
    return ::operator new(size);
}

void Recycler::give_back(void* block, std::size_t bytes) noexcept {
    const std::size_t size = rounded(bytes);
    if (size != 0 && size <= largest) {
        const std::lock_guard lock(mutex_);
        if (anywhere_.kept + size <= kept_max) {
            anywhere_.kept += size;
            Free*& first = anywhere_.blocks_of(size);
            first = ::new (block) Free{first};
            return;
        }
    }
    ::operator delete(block);
}

}  // namespace aprotic::engine
