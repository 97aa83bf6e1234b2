#pragma once

#include <cstdint>

namespace aprotic::test {

/// Calls of operator new on this thread so far. Needs the target aprotic_alloc_counter.
std::uint64_t allocations() noexcept;
/// Octets asked of operator new on this thread so far; what was given back is not subtracted.
std::uint64_t allocated_octets() noexcept;
/// What this thread has allocated and nobody has given back, as long as nothing wanders between threads. Octets are
/// those that the allocator has set aside.
std::uint64_t live_blocks() noexcept;
std::uint64_t live_octets() noexcept;

/// Allocations on this thread since it was made.
class AllocationScope {
public:
    AllocationScope() noexcept : start_(allocations()), octets_(allocated_octets()) {}
    std::uint64_t count() const noexcept { return allocations() - start_; }
    std::uint64_t octets() const noexcept { return allocated_octets() - octets_; }

private:
    std::uint64_t start_;
    std::uint64_t octets_;
};

}  // namespace aprotic::test
