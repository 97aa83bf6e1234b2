#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include <aprotic/codec/performatives.hpp>

namespace aprotic::engine {

/// The peer's attach for as long as the link lives. While nobody has asked for it, it is kept as it was on the wire:
/// that takes a tenth of the memory. Reactor's thread.
class RemoteAttach {
public:
    void set(const codec::Attach& attach) { decoded_ = std::make_unique<const codec::Attach>(attach); }
    bool known() const noexcept { return decoded_ || encoded_; }
    /// Null while it is not known; the caller may keep the pointer.
    const codec::Attach* get();
    /// Of a known one; valid until pack().
    const codec::Attach& peek();
    /// Makes it small, unless somebody may have kept a pointer.
    void pack();

private:
    std::unique_ptr<const codec::Attach> decoded_;
    std::unique_ptr<const std::byte[]> encoded_;
    std::uint32_t encoded_bytes_ = 0;
    bool given_ = false;
};

}  // namespace aprotic::engine
