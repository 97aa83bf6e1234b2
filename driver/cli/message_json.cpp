#include <aprotic/driver/cli/message_json.hpp>

#include <aprotic/codec/dump.hpp>
#include <aprotic/driver/cli/tool.hpp>

namespace aprotic::driver::cli {
namespace {

std::string hex(std::span<const std::byte> octets) {
    static constexpr char digits[] = "0123456789abcdef";
    std::string text;
    for (const std::byte octet : octets) {
        text += digits[std::to_integer<unsigned>(octet) >> 4];
        text += digits[std::to_integer<unsigned>(octet) & 15];
    }
    return text;
}

template <class Items>
Json list_of(const Items& items) {
    Json list = Json::array();
    for (const auto& item : items) list.push_back(to_json(item));
    return list;
}

Json json_of(const codec::MessageId& id) {
    if (const auto* number = std::get_if<std::uint64_t>(&id)) return *number;
    return codec::to_string(id);
}

Json json_of(const codec::Properties& properties) {
    Json object = Json::object();
    const auto put = [&](const char* name, const auto& field) {
        if (field) object[name] = *field;
    };
    if (properties.message_id) object["message-id"] = json_of(*properties.message_id);
    if (properties.user_id) object["user-id"] = properties.user_id->text();
    put("to", properties.to);
    put("subject", properties.subject);
    put("reply-to", properties.reply_to);
    if (properties.correlation_id) object["correlation-id"] = json_of(*properties.correlation_id);
    if (properties.content_type) object["content-type"] = properties.content_type->str();
    if (properties.content_encoding) object["content-encoding"] = properties.content_encoding->str();
    if (properties.absolute_expiry_time) object["absolute-expiry-time"] = properties.absolute_expiry_time->ms;
    if (properties.creation_time) object["creation-time"] = properties.creation_time->ms;
    put("group-id", properties.group_id);
    put("group-sequence", properties.group_sequence);
    put("reply-to-group-id", properties.reply_to_group_id);
    return object;
}

Json json_of(const codec::Header& header) {
    Json object = {{"durable", header.durable},
                   {"priority", header.priority},
                   {"first-acquirer", header.first_acquirer},
                   {"delivery-count", header.delivery_count}};
    if (header.ttl) object["ttl"] = *header.ttl;
    return object;
}

Json body_json(const codec::Message& message) {
    if (const auto* value = std::get_if<codec::Value>(&message.body)) return to_json(*value);
    if (const auto* sequences = std::get_if<codec::Message::Sequences>(&message.body)) {
        Json list = Json::array();
        for (const auto& sequence : *sequences)
            for (const auto& item : sequence) list.push_back(to_json(item));
        return list;
    }
    if (const auto* data = std::get_if<codec::Message::Data>(&message.body)) {
        std::string octets;
        for (const auto& section : *data) octets += section.text();
        return Json{{"hex", hex(codec::as_bytes(octets))}};
    }
    return nullptr;
}

}  // namespace

Json to_json(const codec::Map& map) {
    Json object = Json::object();
    for (const auto& [key, value] : map) {
        const auto text = key.to_text();
        object[text ? std::string(*text) : codec::to_string(key)] = to_json(value);
    }
    return object;
}

Json to_json(const codec::Value& value) {
    if (value.is_null()) return nullptr;
    if (const auto flag = value.get_if<bool>()) return *flag;
    if (const auto number = value.to_int64()) return *number;
    if (const auto number = value.to_uint64()) return *number;
    if (const auto* number = value.get_if<float>()) return *number;
    if (const auto* number = value.get_if<double>()) return *number;
    if (const auto text = value.to_text()) return std::string(*text);
    if (const auto* time = value.get_if<codec::Timestamp>()) return time->ms;
    if (const auto* uuid = value.get_if<codec::Uuid>()) return uuid->to_string();
    if (const auto* binary = value.get_if<codec::Binary>()) return Json{{"hex", hex(binary->span())}};
    if (const auto* list = value.get_if<codec::List>()) return list_of(*list);
    if (const auto* map = value.get_if<codec::Map>()) return to_json(*map);
    if (const auto* array = value.get_if<codec::Array>()) return list_of(array->elements());
    if (const auto* described = value.get_if<codec::Described>())
        return Json{{"descriptor", to_json(described->descriptor())}, {"value", to_json(described->value())}};
    return codec::to_string(value);
}

Json to_json(const codec::MessageView& view) {
    const auto message = view.to_message();
    if (!message) return Json{{"malformed", message.error().message()}};
    Json object = Json::object();
    object["body"] = body_json(*message);
    if (message->header) object["header"] = json_of(*message->header);
    if (message->properties) object["properties"] = json_of(*message->properties);
    if (!message->application_properties.empty())
        object["application-properties"] = to_json(message->application_properties);
    if (!message->message_annotations.empty()) object["message-annotations"] = to_json(message->message_annotations);
    if (!message->delivery_annotations.empty()) object["delivery-annotations"] = to_json(message->delivery_annotations);
    if (!message->footer.empty()) object["footer"] = to_json(message->footer);
    return object;
}

std::string body_text(const codec::MessageView& message) {
    if (const auto text = message.body_text()) return std::string(*text);
    const auto owned = message.to_message();
    return owned ? to_text(body_json(*owned)) : "malformed message: " + owned.error().message();
}

}  // namespace aprotic::driver::cli
