#pragma once

#include <aprotic/codec/definitions.hpp>
#include <aprotic/codec/described.hpp>

#include <optional>
#include <string>

namespace aprotic::codec {

/// How to deliver a message; the only section a hop may change freely. [3.2.1]
struct Header {
    bool durable = false;
    std::uint8_t priority = 4;
    std::optional<Milliseconds> ttl{};
    bool first_acquirer = false;
    std::uint32_t delivery_count = 0;

    friend bool operator==(const Header&, const Header&) = default;
};
template <>
struct Table<Header> {
    static constexpr std::string_view name = "header";
    static constexpr std::uint64_t code = descriptor::header;
    static constexpr auto fields =
        std::tuple{field("durable", &Header::durable, false), field("priority", &Header::priority, std::uint8_t{4}),
                   field("ttl", &Header::ttl), field("first-acquirer", &Header::first_acquirer, false),
                   field("delivery-count", &Header::delivery_count, 0)};
};
APROTIC_COMPOSITE(Header);

/// The standard properties of a message. [3.2.4]
struct Properties {
    std::optional<MessageId> message_id{};
    std::optional<Binary> user_id{};
    std::optional<std::string> to{};
    std::optional<std::string> subject{};
    std::optional<std::string> reply_to{};
    std::optional<MessageId> correlation_id{};
    std::optional<Symbol> content_type{};
    std::optional<Symbol> content_encoding{};
    std::optional<Timestamp> absolute_expiry_time{};
    std::optional<Timestamp> creation_time{};
    std::optional<std::string> group_id{};
    std::optional<std::uint32_t> group_sequence{};
    std::optional<std::string> reply_to_group_id{};

    friend bool operator==(const Properties&, const Properties&) = default;
};
template <>
struct Table<Properties> {
    static constexpr std::string_view name = "properties";
    static constexpr std::uint64_t code = descriptor::properties;
    static constexpr auto fields = std::tuple{field("message-id", &Properties::message_id),
                                              field("user-id", &Properties::user_id),
                                              field("to", &Properties::to),
                                              field("subject", &Properties::subject),
                                              field("reply-to", &Properties::reply_to),
                                              field("correlation-id", &Properties::correlation_id),
                                              field("content-type", &Properties::content_type),
                                              field("content-encoding", &Properties::content_encoding),
                                              field("absolute-expiry-time", &Properties::absolute_expiry_time),
                                              field("creation-time", &Properties::creation_time),
                                              field("group-id", &Properties::group_id),
                                              field("group-sequence", &Properties::group_sequence),
                                              field("reply-to-group-id", &Properties::reply_to_group_id)};
};
APROTIC_COMPOSITE(Properties);

}  // namespace aprotic::codec
