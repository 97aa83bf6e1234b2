#pragma once

#include <cstddef>

#include <aprotic/codec/assert.hpp>

namespace aprotic::engine::core {

/// What an object must hold once per list it can be in.
template <class T>
struct ListHook {
    T* previous = nullptr;  ///< the object itself at the front; null: in no list
    T* next = nullptr;      ///< null at the back
};

/// A list through the objects themselves: joining and leaving cost nothing and never allocate. It owns nothing; an
/// object must leave before it dies.
template <class T, ListHook<T> T::*Hook>
class IntrusiveList {
public:
    bool empty() const noexcept { return front_ == nullptr; }
    std::size_t size() const noexcept { return size_; }
    T* front() const noexcept { return front_; }
    static T* next(const T& object) noexcept { return (object.*Hook).next; }
    static bool contains(const T& object) noexcept { return (object.*Hook).previous != nullptr; }

    /// Does nothing if the object is in already.
    void push_back(T& object) noexcept {
        if (contains(object)) return;
        object.*Hook = {back_ != nullptr ? back_ : &object, nullptr};
        (back_ != nullptr ? (back_->*Hook).next : front_) = &object;
        back_ = &object;
        ++size_;
    }
    /// Does nothing if the object is not in.
    void remove(T& object) noexcept {
        if (!contains(object)) return;
        ListHook<T>& hook = object.*Hook;
        const bool at_front = hook.previous == &object;
        (at_front ? front_ : (hook.previous->*Hook).next) = hook.next;
        if (hook.next == nullptr) {
            back_ = at_front ? nullptr : hook.previous;
        } else {
            (hook.next->*Hook).previous = at_front ? hook.next : hook.previous;
        }
        hook = {};
        --size_;
    }
    T& pop_front() noexcept {
        APROTIC_ASSERT(front_ != nullptr);
        T& object = *front_;
        remove(object);
        return object;
    }
    /// Calls `visit` for each object; `visit` may remove the object it is given.
    template <class F>
    void for_each(F visit) const {
        for (T* object = front_; object != nullptr;) {
            T* const following = next(*object);
            visit(*object);
            object = following;
        }
    }

private:
    T* front_ = nullptr;
    T* back_ = nullptr;
    std::size_t size_ = 0;
};

}  // namespace aprotic::engine::core
