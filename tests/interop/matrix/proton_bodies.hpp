#pragma once

// The bodies of message_peer.cpp, made and compared by Proton C++.

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include <proton/binary.hpp>
#include <proton/codec/encoder.hpp>
#include <proton/codec/list.hpp>
#include <proton/codec/map.hpp>
#include <proton/codec/vector.hpp>
#include <proton/message.hpp>
#include <proton/message_id.hpp>
#include <proton/symbol.hpp>
#include <proton/timestamp.hpp>
#include <proton/uuid.hpp>
#include <proton/value.hpp>

namespace matrix {

constexpr std::uint64_t kinds = 25;

inline proton::message make(std::uint64_t kind, std::size_t large) {
    using proton::value;
    proton::message m;
    m.id(proton::message_id("kind " + std::to_string(kind)));
    m.content_type("x/y");
    m.properties().put("kind", static_cast<std::int64_t>(kind));
    const std::map<std::string, value> map{
        {"text", value("h\u00e9llo")}, {"n", value(std::uint64_t(5))}, {"null", value()}};
    const std::vector<value> list{value(std::int64_t(-5)), value("two"), value(map), value(true)};
    switch (kind) {
        case 0: m.body("text \u20ac"); break;
        case 1: m.body(std::string()); break;
        case 2: m.body(proton::binary(std::string("\0\xffvalue", 7))); break;
        case 3:
            m.inferred(true), m.body(proton::binary(std::string("\0\xff"
                                                                "data",
                                                                6)));
            break;
        case 4: m.body(map); break;
        case 5: m.body(list); break;
        case 6: m.inferred(true), m.body(list); break;
        case 7: m.body(value()); break;
        case 8: m.body(true); break;
        case 9: m.body(std::uint8_t(255)); break;
        case 10: m.body(std::uint16_t(65535)); break;
        case 11: m.body(std::uint32_t(0)); break;
        case 12: m.body(std::uint32_t(UINT32_MAX)); break;
        case 13: m.body(std::uint64_t(UINT64_MAX)); break;
        case 14: m.body(std::int8_t(-128)); break;
        case 15: m.body(std::int16_t(-32768)); break;
        case 16: m.body(std::int32_t(INT32_MIN)); break;
        case 17: m.body(std::int64_t(-9007199254740991)); break;
        case 18: m.body(0.5f); break;
        case 19: m.body(-1.5e300); break;
        case 20: m.body(static_cast<wchar_t>(0x20ac)); break;
        case 21: m.body(proton::timestamp(1234567890123)); break;
        case 22: m.body(proton::uuid::copy("0123456789abcdef")); break;
        case 23: m.body(proton::symbol("a-symbol")); break;
        case 24: m.body(std::vector<std::int32_t>{1, -2, 3}); break;  // an array, as no vector of values is
        default: m.inferred(true), m.body(proton::binary(std::string(large, 'x'))); break;
    }
    return m;
}

/// By type and content. Proton's own comparison of values does not end for some maps.
inline bool same(const proton::value& a, const proton::value& b) {
    if (a.empty() || b.empty()) return a.empty() && b.empty();
    if (a.type() != b.type()) return false;
    if (a.type() == proton::STRING) return proton::get<std::string>(a) == proton::get<std::string>(b);
    if (a.type() == proton::BINARY) return proton::get<proton::binary>(a) == proton::get<proton::binary>(b);
    if (a.type() == proton::MAP) {  // whose order is anybody's choice
        const auto left = proton::get<std::map<std::string, proton::value>>(a);
        const auto right = proton::get<std::map<std::string, proton::value>>(b);
        if (left.size() != right.size()) return false;
        for (const auto& [key, value] : left)
            if (const auto at = right.find(key); at == right.end() || !same(value, at->second)) return false;
        return true;
    }
    if (a.type() == proton::LIST) {
        const auto left = proton::get<std::vector<proton::value>>(a);
        const auto right = proton::get<std::vector<proton::value>>(b);
        if (left.size() != right.size()) return false;
        for (std::size_t i = 0; i < left.size(); ++i)
            if (!same(left[i], right[i])) return false;
        return true;
    }
    return proton::to_string(a) == proton::to_string(b);
}

/// What is different from what was sent; empty if nothing is.
inline std::string difference(const proton::message& got, std::size_t large) {
    const std::string id = got.id().empty() ? "" : proton::to_string(got.id());
    if (id.compare(0, 5, "kind ") != 0) return "a message without the id it had";
    const auto kind = std::stoull(id.substr(5));
    const proton::message sent = make(kind, large);
    if (!same(got.body(), sent.body()) || got.inferred() != sent.inferred()) return id + ": another body";
    if (got.content_type() != sent.content_type()) return id + ": another content-type";
    if (proton::coerce<std::int64_t>(got.properties().get("kind")) != static_cast<std::int64_t>(kind))
        return id + ": another application property";
    return {};
}

}  // namespace matrix
