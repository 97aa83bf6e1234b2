#include <aprotic/driver/serializer.hpp>

#include <utility>

namespace aprotic::driver {

Json Serializer::serialize_entity(const Json&, Json entity) const { return entity; }
Json Serializer::deserialize_entity(const Json&, Json entity) const { return entity; }
Json Serializer::serialize_context(Json context) const { return context; }
Json Serializer::deserialize_context(Json context) const { return context; }

Json serialize_args(const Serializer& serializer, const Json& context, Json args) {
    if (args.is_object())
        for (auto& arg : args) arg = serializer.serialize_entity(context, std::move(arg));
    return args;
}

Json deserialize_args(const Serializer& serializer, const Json& context, Json args) {
    if (args.is_object())
        for (auto& arg : args) arg = serializer.deserialize_entity(context, std::move(arg));
    return args;
}

}  // namespace aprotic::driver
