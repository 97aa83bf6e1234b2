#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace aprotic::engine::stack {

/// The head of one HTTP/1.1 message: its first line and its fields, which is all that WebSocket and proxies need of
/// HTTP. [RFC 9112]
struct HttpHead {
    static constexpr std::size_t size_max = 8 * 1024;

    std::string first_line;
    std::vector<std::pair<std::string, std::string>> fields;  ///< names in small letters, values without space around

    /// The value; several of one name joined by ", ". nullopt: there is none.
    std::optional<std::string> find(std::string_view name_in_small_letters) const;
    /// Whether the comma-separated value has this word, whatever the letters' size.
    bool has_word(std::string_view name_in_small_letters, std::string_view word) const;
    /// Of a response; 0 when the first line is none of HTTP/1.
    unsigned status() const;

    std::string to_text() const;
};

/// What the octets at the front of a stream come to.
struct HttpHeadStep {
    enum class Status { need_more, complete, malformed };
    Status status = Status::need_more;
    HttpHead head{};
    std::size_t size = 0;  ///< complete: octets of the head, its empty line included
};
HttpHeadStep parse_http_head(std::span<const std::byte> octets);

/// RFC 4648.
std::string base64(std::span<const std::byte> octets);

}  // namespace aprotic::engine::stack
