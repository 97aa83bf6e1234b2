#pragma once

#include <cstddef>
#include <span>
#include <string>

#include <openssl/crypto.h>

namespace aprotic::engine::stack {

/// Overwrites secrets that have done their work, in memory of our own, so that they do not linger in what is freed.
inline void wipe(std::span<const std::byte> octets) noexcept {
    OPENSSL_cleanse(const_cast<std::byte*>(octets.data()), octets.size());
}
inline void wipe(std::string& text) noexcept {
    OPENSSL_cleanse(text.data(), text.size());
    text.clear();
}

}  // namespace aprotic::engine::stack
