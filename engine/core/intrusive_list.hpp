#pragma once

#include <cstddef>
#include <cstdint>

#include <aprotic/codec/assert.hpp>

namespace aprotic::engine::core {

/// What an object must hold once per list it can be in.
template <class T>
struct ListHook {
    T* previous = nullptr;  ///< at the front: the back; null: in no list
    T* next = nullptr;      ///< null at the back
};

/// A list through the objects themselves: joining and leaving cost nothing and never allocate. It owns nothing; an
/// object must leave before it dies. Every link has two: so an empty one takes little, and the front knows the back.
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
        ++size_;
        if (front_ == nullptr) {
            front_ = &object;
            object.*Hook = {&object, nullptr};
            return;
        }
        T*& back = (front_->*Hook).previous;
        object.*Hook = {back, nullptr};
        (back->*Hook).next = &object;
        back = &object;
    }
    /// Does nothing if the object is not in.
    void remove(T& object) noexcept {
        if (!contains(object)) return;
        ListHook<T>& hook = object.*Hook;
        const bool at_front = front_ == &object;
        ((hook.next != nullptr ? hook.next : front_)->*Hook).previous = hook.previous;
        (at_front ? front_ : (hook.previous->*Hook).next) = hook.next;
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
    std::uint32_t size_ = 0;
};

}  // namespace aprotic::engine::core
