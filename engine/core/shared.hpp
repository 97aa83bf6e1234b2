#pragma once

#include <cstddef>
#include <utility>

namespace aprotic::engine::core {

/// A counted pointer to what several objects of one engine share. An engine is used by one thread at a time, so nothing
/// is atomic. T has a member `std::size_t references`, 0 at first.
template <class T>
class Shared {
public:
    Shared() noexcept = default;
    explicit Shared(T* object) noexcept : object_(object) {
        if (object_ != nullptr) ++object_->references;
    }
    Shared(const Shared& other) noexcept : Shared(other.object_) {}
    Shared(Shared&& other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
    Shared& operator=(Shared other) noexcept {
        std::swap(object_, other.object_);
        return *this;
    }
    ~Shared() {
        if (object_ != nullptr && --object_->references == 0) delete object_;
    }

    void reset() noexcept { Shared dropped(std::move(*this)); }
    explicit operator bool() const noexcept { return object_ != nullptr; }
    T& operator*() const noexcept { return *object_; }
    T* operator->() const noexcept { return object_; }

private:
    T* object_ = nullptr;
};

}  // namespace aprotic::engine::core
