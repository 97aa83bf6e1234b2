#include <aprotic/engine/filters.hpp>

#include <cstdint>
#include <utility>

namespace aprotic::engine::filters {
namespace {

constexpr std::uint64_t apache = 0x0000468C00000000;

codec::Value filter(std::uint64_t number, codec::Value argument) {
    return codec::Described(codec::Value(apache + number), std::move(argument));
}

}  // namespace

codec::Value direct_binding(std::string subject) { return filter(0, codec::Value(std::move(subject))); }
codec::Value topic_binding(std::string pattern) { return filter(1, codec::Value(std::move(pattern))); }
codec::Value headers_binding(codec::Map arguments) { return filter(2, codec::Value(std::move(arguments))); }
codec::Value no_local() { return filter(3, codec::Value(codec::List())); }
codec::Value selector(std::string expression) { return filter(4, codec::Value(std::move(expression))); }

void add(codec::Source& source, const std::string& name, codec::Value filter) {
    source.filter.set(codec::Symbol(name), std::move(filter));
}

}  // namespace aprotic::engine::filters
