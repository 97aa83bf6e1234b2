#pragma once

#include <memory>
#include <optional>
#include <utility>

namespace aprotic::engine::core {

/// An optional that is mostly empty and large otherwise: it takes a pointer until it has a value.
template <class T>
class Rare {
public:
    Rare& operator=(T value) {
        value_ = std::make_unique<T>(std::move(value));
        return *this;
    }
    Rare& operator=(std::optional<T> value) {
        value_ = value ? std::make_unique<T>(std::move(*value)) : nullptr;
        return *this;
    }

    explicit operator bool() const noexcept { return value_ != nullptr; }
    T& operator*() noexcept { return *value_; }
    const T& operator*() const noexcept { return *value_; }
    T* operator->() noexcept { return value_.get(); }
    const T* operator->() const noexcept { return value_.get(); }

    void reset() noexcept { value_.reset(); }
    std::optional<T> copy() const { return value_ ? std::optional<T>(*value_) : std::nullopt; }

private:
    std::unique_ptr<T> value_;
};

}  // namespace aprotic::engine::core
