#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace aprotic::engine {

/// Letters, digits and "-._~" as they are, any other octet as "%" and two hexadecimal digits; so too `also_plain`.
/// [RFC 3986 2.1]
std::string percent_encoded(std::string_view text, std::string_view also_plain = "");
/// The opposite; nullopt when a "%" is not followed by two hexadecimal digits.
std::optional<std::string> percent_decoded(std::string_view text);

}  // namespace aprotic::engine
