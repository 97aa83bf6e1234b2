#include <support/alloc_counter.hpp>

#include <malloc.h>

#include <cstdlib>
#include <new>

namespace {

thread_local std::uint64_t count = 0;
thread_local std::uint64_t octets = 0;
thread_local std::uint64_t blocks_held = 0;
thread_local std::uint64_t octets_held = 0;

void* note(void* p) noexcept {
    if (p == nullptr) return p;
    ++blocks_held;
    octets_held += malloc_usable_size(p);
    return p;
}

void release(void* p) noexcept {
    if (p == nullptr) return;
    --blocks_held;
    octets_held -= malloc_usable_size(p);
    std::free(p);
}

void* allocate(std::size_t size) {
    ++count;
    octets += size;
    if (void* p = std::malloc(size != 0 ? size : 1)) return note(p);
    throw std::bad_alloc();
}

void* allocate(std::size_t size, std::align_val_t alignment) {
    ++count;
    octets += size;
    const auto align = static_cast<std::size_t>(alignment);
    if (void* p = std::aligned_alloc(align, (size + align - 1) / align * align)) return note(p);
    throw std::bad_alloc();
}

}  // namespace

namespace aprotic::test {

std::uint64_t allocations() noexcept { return count; }
std::uint64_t allocated_octets() noexcept { return octets; }
std::uint64_t live_blocks() noexcept { return blocks_held; }
std::uint64_t live_octets() noexcept { return octets_held; }

}  // namespace aprotic::test

void* operator new(std::size_t size) { return allocate(size); }
void* operator new[](std::size_t size) { return allocate(size); }
void* operator new(std::size_t size, std::align_val_t alignment) { return allocate(size, alignment); }
void* operator new[](std::size_t size, std::align_val_t alignment) { return allocate(size, alignment); }
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
    ++count;
    octets += size;
    return note(std::malloc(size != 0 ? size : 1));
}
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept {
    ++count;
    octets += size;
    return note(std::malloc(size != 0 ? size : 1));
}
void operator delete(void* p, const std::nothrow_t&) noexcept { release(p); }
void operator delete[](void* p, const std::nothrow_t&) noexcept { release(p); }
void operator delete(void* p) noexcept { release(p); }
void operator delete[](void* p) noexcept { release(p); }
void operator delete(void* p, std::size_t) noexcept { release(p); }
void operator delete[](void* p, std::size_t) noexcept { release(p); }
void operator delete(void* p, std::align_val_t) noexcept { release(p); }
void operator delete[](void* p, std::align_val_t) noexcept { release(p); }
void operator delete(void* p, std::size_t, std::align_val_t) noexcept { release(p); }
void operator delete[](void* p, std::size_t, std::align_val_t) noexcept { release(p); }
