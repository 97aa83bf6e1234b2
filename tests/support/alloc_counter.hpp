#pragma once

#include <cstdint>

namespace aprotic::test {

/// Calls of operator new on this thread so far. Needs the target aprotic_alloc_counter.
std::uint64_t allocations() noexcept;

/// Allocations on this thread since it was made.
class AllocationScope {
public:
    AllocationScope() noexcept : start_(allocations()) {}
    std::uint64_t count() const noexcept { return allocations() - start_; }

private:
    std::uint64_t start_;
};

}  // namespace aprotic::test
