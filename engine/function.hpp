#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

#include <aprotic/codec/assert.hpp>

namespace aprotic::engine {

template <class Signature>
class Function;

/// A move-only callable. Callables of up to 48 bytes that move without throwing are kept inline, larger ones on the
/// heap. Calling an empty one is our fault and ends in an assertion. Not thread-safe, like any value.
template <class R, class... Args>
class Function<R(Args...)> {
public:
    Function() noexcept = default;
    Function(std::nullptr_t) noexcept {}

    template <class F, class D = std::decay_t<F>>
    requires(!std::is_same_v<D, Function> && std::is_invocable_r_v<R, D&, Args...>) Function(F&& callable) {
        if constexpr (fits_inline<D>) {
            ::new (static_cast<void*>(storage_)) D(std::forward<F>(callable));
            table_ = &inline_table<D>;
        } else {
            ::new (static_cast<void*>(storage_)) D*(new D(std::forward<F>(callable)));
            table_ = &heap_table<D>;
        }
    }

    Function(Function&& other) noexcept { take(other); }
    Function& operator=(Function&& other) noexcept {
        if (this != &other) {
            reset();
            take(other);
        }
        return *this;
    }
    Function(const Function&) = delete;
    Function& operator=(const Function&) = delete;
    ~Function() { reset(); }

    explicit operator bool() const noexcept { return table_ != nullptr; }

    R operator()(Args... args) {
        APROTIC_ASSERT(table_ != nullptr);
        return table_->call(storage_, std::forward<Args>(args)...);
    }

private:
    static constexpr std::size_t inline_size = 48;

    struct Table {
        R (*call)(std::byte*, Args&&...);
        void (*move)(std::byte* to, std::byte* from) noexcept;
        void (*destroy)(std::byte*) noexcept;
    };

    template <class D>
    static constexpr bool fits_inline =
        sizeof(D) <= inline_size && alignof(D) <= alignof(std::max_align_t) && std::is_nothrow_move_constructible_v<D>;

    template <class D>
    static D& inline_at(std::byte* at) noexcept {
        return *std::launder(reinterpret_cast<D*>(at));
    }
    template <class D>
    static D*& heap_at(std::byte* at) noexcept {
        return *std::launder(reinterpret_cast<D**>(at));
    }

    template <class D>
    static constexpr Table inline_table = {
        [](std::byte* at, Args&&... args) -> R { return std::invoke(inline_at<D>(at), std::forward<Args>(args)...); },
        [](std::byte* to, std::byte* from) noexcept {
            ::new (static_cast<void*>(to)) D(std::move(inline_at<D>(from)));
            inline_at<D>(from).~D();
        },
        [](std::byte* at) noexcept { inline_at<D>(at).~D(); }};

    template <class D>
    static constexpr Table heap_table = {
        [](std::byte* at, Args&&... args) -> R { return std::invoke(*heap_at<D>(at), std::forward<Args>(args)...); },
        [](std::byte* to, std::byte* from) noexcept { ::new (static_cast<void*>(to)) D*(heap_at<D>(from)); },
        [](std::byte* at) noexcept { delete heap_at<D>(at); }};

    void take(Function& other) noexcept {
        if (other.table_ == nullptr) return;
        other.table_->move(storage_, other.storage_);
        table_ = std::exchange(other.table_, nullptr);
    }
    void reset() noexcept {
        if (table_ != nullptr) std::exchange(table_, nullptr)->destroy(storage_);
    }

    alignas(std::max_align_t) std::byte storage_[inline_size];
    const Table* table_ = nullptr;
};

}  // namespace aprotic::engine
