#pragma once

#include <aprotic/codec/definitions.hpp>
#include <aprotic/codec/described.hpp>

#include <optional>

namespace aprotic::codec {

/// Message body that asks a coordinator for a transaction. [4.5.2]
struct Declare {
    std::optional<Binary> global_id{};

    friend bool operator==(const Declare&, const Declare&) = default;
};
template <>
struct Table<Declare> {
    static constexpr std::string_view name = "declare";
    static constexpr std::uint64_t code = descriptor::declare;
    static constexpr auto fields = std::tuple{field("global-id", &Declare::global_id)};
};
APROTIC_COMPOSITE(Declare);

/// Message body that ends a transaction. [4.5.3]
struct Discharge {
    Binary txn_id{};
    std::optional<bool> fail{};

    friend bool operator==(const Discharge&, const Discharge&) = default;
};
template <>
struct Table<Discharge> {
    static constexpr std::string_view name = "discharge";
    static constexpr std::uint64_t code = descriptor::discharge;
    static constexpr auto fields = std::tuple{mandatory("txn-id", &Discharge::txn_id), field("fail", &Discharge::fail)};
};
APROTIC_COMPOSITE(Discharge);

}  // namespace aprotic::codec
