#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include <aprotic/codec/performatives.hpp>

namespace aprotic::engine {

/// The peer's attach for as long as the link lives. While nobody asks for it, it is kept as it was on the wire, which
/// takes a tenth of the memory; or, where it says what was to be expected, as the two numbers in it. Reactor's thread.
class RemoteAttach {
public:
    RemoteAttach() noexcept {}
    RemoteAttach(const RemoteAttach&) = delete;
    RemoteAttach& operator=(const RemoteAttach&) = delete;
    ~RemoteAttach() { clear(); }

    void set(codec::Attach attach);
    bool known() const noexcept { return form_ != Form::none; }
    /// Of a known one; valid until pack(). `expected` makes what pack() was given.
    template <class Expected>
    const codec::Attach& peek(Expected expected) {
        if (form_ == Form::expected) {
            unpack(expected());
        } else if (form_ == Form::octets) {
            unpack();
        }
        return *decoded_;
    }
    /// The same, and the caller may keep the reference.
    template <class Expected>
    const codec::Attach& get(Expected expected) {
        given_ = true;
        return peek(expected);
    }
    /// Makes it small, unless somebody may have kept a reference. `expected`: the attach of a peer who has taken the
    /// link as it was asked for; handle and max-message-size may be anything.
    void pack(codec::Attach expected);

private:
    enum class Form : std::uint8_t { none, decoded, octets, expected };

    void clear() noexcept;
    void unpack(codec::Attach expected);
    void unpack();

    union {
        std::unique_ptr<const codec::Attach> decoded_;
        std::unique_ptr<const std::byte[]> octets_;
        std::uint64_t message_size_max_;  // 0: it has none
    };
    std::uint32_t number_ = 0;  // of octets, or the handle
    Form form_ = Form::none;
    bool given_ = false;
};

}  // namespace aprotic::engine
