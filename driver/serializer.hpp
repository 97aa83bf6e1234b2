#pragma once

#include <aprotic/driver/json.hpp>

namespace aprotic::driver {

/// What an application's values look like as JSON on the wire, where they are not JSON already: times, octets, what is
/// to be encrypted, a context with a form of its own. Everything passes unchanged that is not overridden.
///
/// Called from any thread, several at once. What a function throws ends that request: on a client with invalid_target
/// (before sending) or bad_reply, on a server with an error reply.
class Serializer {
public:
    virtual ~Serializer() = default;
    /// One argument of a request, or a reply's value; `context` as the application has it.
    virtual Json serialize_entity(const Json& context, Json entity) const;
    virtual Json deserialize_entity(const Json& context, Json entity) const;
    /// What goes with a request as CallOptions::context.
    virtual Json serialize_context(Json context) const;
    virtual Json deserialize_context(Json context) const;
};

/// Every value of the object `args` on its own, as oslo.messaging does it.
Json serialize_args(const Serializer& serializer, const Json& context, Json args);
Json deserialize_args(const Serializer& serializer, const Json& context, Json args);

}  // namespace aprotic::driver
