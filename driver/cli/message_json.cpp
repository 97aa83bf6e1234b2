#include <aprotic/driver/cli/message_json.hpp>

#include <aprotic/codec/json.hpp>
#include <aprotic/driver/cli/tool.hpp>

namespace aprotic::driver::cli {
namespace {

/// What the codec writes is JSON whatever the value is: nothing is thrown here.
Json json_of(const codec::Value& value) { return Json::parse(codec::to_json(value, {.form = codec::JsonForm::plain})); }

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
    if (properties.absolute_expiry_time)
        object["absolute-expiry-time"] = json_of(codec::Value(*properties.absolute_expiry_time));
    if (properties.creation_time) object["creation-time"] = json_of(codec::Value(*properties.creation_time));
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
    if (const auto* value = std::get_if<codec::Value>(&message.body)) return json_of(*value);
    if (const auto* sequences = std::get_if<codec::Message::Sequences>(&message.body)) {
        Json list = Json::array();
        for (const auto& sequence : *sequences)
            for (const auto& item : sequence) list.push_back(json_of(item));
        return list;
    }
    if (const auto* data = std::get_if<codec::Message::Data>(&message.body)) {
        std::string octets;
        for (const auto& section : *data) octets += section.text();
        return json_of(codec::Value(codec::Binary(std::move(octets))));
    }
    return nullptr;
}

}  // namespace

Json to_json(const codec::MessageView& view) {
    const auto message = view.to_message();
    if (!message) return Json{{"malformed", message.error().message()}};
    Json object = Json::object();
    object["body"] = body_json(*message);
    if (message->header) object["header"] = json_of(*message->header);
    if (message->properties) object["properties"] = json_of(*message->properties);
    if (!message->application_properties.empty())
        object["application-properties"] = json_of(message->application_properties);
    if (!message->message_annotations.empty()) object["message-annotations"] = json_of(message->message_annotations);
    if (!message->delivery_annotations.empty()) object["delivery-annotations"] = json_of(message->delivery_annotations);
    if (!message->footer.empty()) object["footer"] = json_of(message->footer);
    return object;
}

std::string body_text(const codec::MessageView& message) {
    if (const auto text = message.body_text()) return std::string(*text);
    const auto owned = message.to_message();
    return owned ? to_text(body_json(*owned)) : "malformed message: " + owned.error().message();
}

}  // namespace aprotic::driver::cli
