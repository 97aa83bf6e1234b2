#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace aprotic::driver::http {

/// Octets of a request's first line and header fields together. More is answered with 431.
inline constexpr std::size_t head_octets_max = 8 * 1024;

/// What is answered to a request.
struct Answer {
    unsigned status = 200;
    bool with_body = true;  ///< false for HEAD
};

/// Reads the head of a request that wants `path` by GET or HEAD. `octets` is all that has come; nullopt while more is
/// needed. Never looks at a body. [RFC 9112]
std::optional<Answer> read_head(std::string_view octets, std::string_view path);

/// The whole response, after which the connection is closed. `content` is that of a 200; any other status says itself.
std::string response(Answer answer, std::string_view content_type, std::string_view content);

}  // namespace aprotic::driver::http
