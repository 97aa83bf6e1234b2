#pragma once

#include <string>

#include <aprotic/codec/terminus.hpp>
#include <aprotic/codec/value.hpp>

// The filters that are registered with OASIS's AMQP working group, as they go into codec::Source::filter: described
// values, each under a name of the application's choice. What the peer keeps of them is told back in its source:
// Receiver::remote(). [3.5.8]

namespace aprotic::engine::filters {

/// Only messages for which the SQL-like expression is true. apache.org:selector-filter:string
codec::Value selector(std::string expression);
/// No messages that were sent on the receiver's own connection. apache.org:no-local-filter:list
codec::Value no_local();
/// Only messages whose subject is exactly this. apache.org:legacy-amqp-direct-binding:string
codec::Value direct_binding(std::string subject);
/// Only messages whose subject matches, `*` one word and `#` any number. apache.org:legacy-amqp-topic-binding:string
codec::Value topic_binding(std::string pattern);
/// Only messages whose application properties match; "x-match" says "all" or "any". String keys, simple values.
/// apache.org:legacy-amqp-headers-binding:map
codec::Value headers_binding(codec::Map arguments);

/// Sets one filter of a source; the peer tells it back under the same name.
void add(codec::Source& source, const std::string& name, codec::Value filter);

}  // namespace aprotic::engine::filters
