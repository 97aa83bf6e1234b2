#include <aprotic/driver/bus/extras.hpp>

#include <string_view>

#include <aprotic/codec/definitions.hpp>
#include <aprotic/codec/value.hpp>

namespace aprotic::driver::bus {
namespace {

constexpr std::string_view cancellable_name = "aprotic-cancellable";
constexpr std::string_view cancels_name = "aprotic-cancels";
constexpr std::string_view server_address_name = "aprotic-server-address";
constexpr std::string_view key_name = "aprotic-idempotency-key";
// W3C Trace Context: Message headers carry the fields under their own names.
constexpr std::string_view traceparent_name = "traceparent";
constexpr std::string_view tracestate_name = "tracestate";

// Longer ones are nobody's: an id is 32 octets, a trace of the version there is 55.
constexpr std::size_t id_bytes_max = 128;
constexpr std::size_t address_bytes_max = 1024;
constexpr std::size_t trace_bytes_max = 512;

std::optional<std::string> text_under(const codec::MapView& properties, std::string_view name, std::size_t bytes_max) {
    const auto found = properties.find(name);
    if (!found) return std::nullopt;
    const auto text = found->string();
    if (!text || text->empty() || text->size() > bytes_max) return std::nullopt;
    return std::string(*text);
}

void put(codec::Map& properties, std::string_view name, const std::optional<std::string>& text) {
    if (text && !text->empty()) properties.set(codec::Value(std::string(name)), codec::Value(*text));
}

}  // namespace

void Extras::write(codec::Encoder& to) const {
    if (!cancellable && !cancels && !server_address && !idempotency_key && !trace) return;
    codec::Map properties;
    if (cancellable) properties.set(codec::Value(std::string(cancellable_name)), codec::Value(true));
    put(properties, cancels_name, cancels);
    put(properties, server_address_name, server_address);
    put(properties, key_name, idempotency_key);
    if (trace) {
        put(properties, traceparent_name, trace->traceparent);
        put(properties, tracestate_name, trace->tracestate);
    }
    if (properties.empty()) return;
    to.write_descriptor(codec::descriptor::application_properties);
    codec::encode(to, properties);
}

Extras Extras::read(const codec::MessageView& message) {
    Extras extras;
    const auto properties = message.application_properties();
    if (properties.size() == 0) return extras;
    if (const auto found = properties.find(cancellable_name)) extras.cancellable = found->boolean().value_or(false);
    extras.cancels = text_under(properties, cancels_name, id_bytes_max);
    extras.server_address = text_under(properties, server_address_name, address_bytes_max);
    extras.idempotency_key = text_under(properties, key_name, idempotency_key_bytes_max);
    if (auto parent = text_under(properties, traceparent_name, trace_bytes_max))
        extras.trace =
            TraceContext{std::move(*parent), text_under(properties, tracestate_name, trace_bytes_max).value_or("")};
    return extras;
}

}  // namespace aprotic::driver::bus
