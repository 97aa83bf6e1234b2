#pragma once

namespace aprotic::engine {

/// As std::optional<Id>, in the room of an Id, which has a value that names nothing.
template <class Id>
class OptionalId {
public:
    OptionalId& operator=(Id id) noexcept {
        id_ = id;
        return *this;
    }
    explicit operator bool() const noexcept { return static_cast<bool>(id_); }
    const Id& operator*() const noexcept { return id_; }
    const Id* operator->() const noexcept { return &id_; }
    friend bool operator==(OptionalId a, Id b) noexcept { return a.id_ == b; }

private:
    Id id_;
};

}  // namespace aprotic::engine
