#pragma once

#include <aprotic/codec/definitions.hpp>
#include <aprotic/codec/described.hpp>

#include <optional>
#include <string>

namespace aprotic::codec {

/// Why something was refused or closed, as told to the other side: the specification's type `error`. [2.8.14]
struct ErrorCondition {
    Symbol condition{};  ///< one of `condition::…` or a symbol of the application's own
    std::optional<std::string> description{};
    Map info{};

    friend bool operator==(const ErrorCondition&, const ErrorCondition&) = default;
};
template <>
struct Table<ErrorCondition> {
    static constexpr std::string_view name = "error";
    static constexpr std::uint64_t code = descriptor::error;
    static constexpr auto fields =
        std::tuple{mandatory("condition", &ErrorCondition::condition),
                   field("description", &ErrorCondition::description), field("info", &ErrorCondition::info)};
};
APROTIC_COMPOSITE(ErrorCondition);

}  // namespace aprotic::codec
