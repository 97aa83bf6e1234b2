#include <aprotic/codec/value_view.hpp>

#include <utility>

namespace aprotic::codec {

namespace {

/// Reads with `read` if the value is of `type` and well-formed.
template <class Read>
auto read_if(const RawValue& raw, Type type, Read read) -> std::optional<decltype(read(std::declval<Decoder&>()))> {
    if (raw.type() != type) return std::nullopt;
    Decoder from(raw.octets());
    auto value = read(from);
    if (!from.ok()) return std::nullopt;
    return value;
}

/// The octets of a variable-width value, which are all of `octets` behind constructor and length.
std::optional<std::span<const std::byte>> variable(std::span<const std::byte> octets, std::uint8_t code8,
                                                   std::uint8_t code32) noexcept {
    if (octets.size() >= 2 && octets[0] == std::byte{code8} &&
        octets.size() - 2 == std::to_integer<std::size_t>(octets[1])) {
        return octets.subspan(2);
    }
    // Longer ones, and values with something behind them, which is nobody's business here.
    Decoder from(octets);
    if (octets.empty() || (octets[0] != std::byte{code8} && octets[0] != std::byte{code32})) return std::nullopt;
    const std::span<const std::byte> raw = from.read_raw();
    if (!from.ok()) return std::nullopt;
    return raw.subspan(1 + size_width(std::to_integer<std::uint8_t>(raw[0])));
}

}  // namespace

// RawValue

std::optional<Type> RawValue::type() const noexcept {
    return octets_.empty() ? std::nullopt : type_of_code(std::to_integer<std::uint8_t>(octets_.front()));
}
std::optional<bool> RawValue::boolean() const noexcept {
    return read_if(*this, Type::boolean, [](Decoder& from) { return from.read_boolean(); });
}
std::optional<std::uint32_t> RawValue::uint() const noexcept {
    return read_if(*this, Type::uint, [](Decoder& from) { return from.read_uint(); });
}
std::optional<std::uint64_t> RawValue::ulong() const noexcept {
    return read_if(*this, Type::ulong, [](Decoder& from) { return from.read_ulong(); });
}
std::optional<std::int64_t> RawValue::integer() const noexcept {
    const std::optional<Type> t = type();
    if (!t || *t < Type::ubyte || *t > Type::long_) return std::nullopt;
    Decoder from(octets_);
    Value v;  // integers are held in place: nothing is allocated
    return decode(from, v) ? v.to_int64() : std::nullopt;
}
std::optional<Timestamp> RawValue::timestamp() const noexcept {
    return read_if(*this, Type::timestamp, [](Decoder& from) { return from.read_timestamp(); });
}
std::optional<Uuid> RawValue::uuid() const noexcept {
    return read_if(*this, Type::uuid, [](Decoder& from) { return from.read_uuid(); });
}
std::optional<std::string_view> RawValue::string() const noexcept {
    const auto octets = variable(octets_, code::str8, code::str32);
    return octets && is_utf8(*octets) ? std::optional(as_text(*octets)) : std::nullopt;
}
std::optional<std::string_view> RawValue::symbol() const noexcept {
    const auto octets = variable(octets_, code::sym8, code::sym32);
    return octets && is_ascii(*octets) ? std::optional(as_text(*octets)) : std::nullopt;
}
std::optional<std::string_view> RawValue::text() const noexcept {
    const std::optional<std::string_view> s = string();
    return s ? s : symbol();
}
std::optional<std::span<const std::byte>> RawValue::binary() const noexcept {
    return variable(octets_, code::vbin8, code::vbin32);
}

std::optional<MessageIdView> RawValue::message_id() const noexcept {
    const auto id = [](const auto& v) { return v ? std::optional<MessageIdView>(*v) : std::nullopt; };
    switch (type().value_or(Type::null)) {
        case Type::string: return id(string());
        case Type::ulong: return id(ulong());
        case Type::uuid: return id(uuid());
        case Type::binary: return id(binary());
        default: return std::nullopt;
    }
}

Result<Value> RawValue::value(const DecodeLimits& limits) const { return decode_value(octets_, limits); }

Result<void> RawValue::check(const DecodeLimits& limits) const noexcept {
    Decoder from(octets_, limits);
    from.skip_checked();
    if (!from.expect_end()) return from.error();
    return {};
}

// ListView

ListView::ListView(std::span<const std::byte> octets) noexcept : ListView(octets, false) {}

ListView::ListView(std::span<const std::byte> octets, bool map) noexcept {
    Decoder from(octets);
    const Decoder::Scope scope = map ? from.enter_map() : from.enter_list();
    if (!from.ok()) return;
    items_ = from.rest();
    count_ = scope.count;
    ok_ = true;
}

RawValue ListView::operator[](std::uint32_t index) const noexcept {
    for (const RawValue item : *this) {
        if (index-- == 0) return item;
    }
    return {};
}

ListView::iterator::iterator(std::span<const std::byte> rest, std::uint32_t left) noexcept : rest_(rest), left_(left) {
    find();
}

/// Measures the item at the front. A malformed one ends the iteration.
void ListView::iterator::find() noexcept {
    current_ = {};
    if (left_ == 0) return;
    Decoder from(rest_);
    current_ = from.read_raw();
    if (!from.ok()) {
        left_ = 0;
        return;
    }
    rest_ = from.rest();
}

ListView::iterator& ListView::iterator::operator++() noexcept {
    if (left_ != 0) --left_;
    find();
    return *this;
}

// MapView

std::optional<RawValue> MapView::find(std::string_view key) const noexcept {
    for (auto it = ListView::begin(); it != ListView::end(); ++it) {
        const bool matches = (*it).text() == key;
        if (++it == ListView::end()) break;
        if (matches) return *it;
    }
    return std::nullopt;
}

}  // namespace aprotic::codec
