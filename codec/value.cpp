#include <aprotic/codec/value.hpp>

#include <algorithm>
#include <bit>
#include <stdexcept>

namespace aprotic::codec {

// Map

Map::Map() noexcept = default;
Map::Map(std::initializer_list<Entry> entries) {
    entries_.reserve(entries.size());
    for (const Entry& entry : entries) set(entry.first, entry.second);
}
Map::Map(const Map&) = default;
Map::Map(Map&&) noexcept = default;
Map& Map::operator=(const Map&) = default;
Map& Map::operator=(Map&&) noexcept = default;
Map::~Map() = default;

bool Map::empty() const noexcept { return entries_.empty(); }
std::size_t Map::size() const noexcept { return entries_.size(); }
Map::iterator Map::begin() noexcept { return entries_.begin(); }
Map::iterator Map::end() noexcept { return entries_.end(); }
Map::const_iterator Map::begin() const noexcept { return entries_.begin(); }
Map::const_iterator Map::end() const noexcept { return entries_.end(); }

const Value* Map::find(std::string_view key) const noexcept {
    for (const Entry& entry : entries_) {
        if (entry.first.to_text() == key) return &entry.second;
    }
    return nullptr;
}
const Value* Map::find(const Value& key) const noexcept {
    for (const Entry& entry : entries_) {
        if (entry.first == key) return &entry.second;
    }
    return nullptr;
}
const Value* Map::find(const Symbol& key) const noexcept {
    for (const Entry& entry : entries_) {
        const Symbol* symbol = entry.first.get_if<Symbol>();
        if (symbol != nullptr && *symbol == key) return &entry.second;
    }
    return nullptr;
}
Value* Map::find(std::string_view key) noexcept { return const_cast<Value*>(std::as_const(*this).find(key)); }
Value* Map::find(const Value& key) noexcept { return const_cast<Value*>(std::as_const(*this).find(key)); }
Value* Map::find(const Symbol& key) noexcept { return const_cast<Value*>(std::as_const(*this).find(key)); }

const Value& Map::at(std::string_view key) const {
    const Value* value = find(key);
    if (value == nullptr) throw std::out_of_range("no such key: " + std::string(key));
    return *value;
}

Value& Map::operator[](const Value& key) {
    if (Value* value = find(key)) return *value;
    return entries_.emplace_back(key, Value()).second;
}
void Map::set(Value key, Value value) {
    if (Value* old = find(key)) {
        *old = std::move(value);
    } else {
        append(std::move(key), std::move(value));
    }
}
void Map::append(Value key, Value value) { entries_.emplace_back(std::move(key), std::move(value)); }
bool Map::erase(const Value& key) {
    return std::erase_if(entries_, [&](const Entry& entry) { return entry.first == key; }) != 0;
}
void Map::clear() noexcept { entries_.clear(); }
void Map::reserve(std::size_t entries) { entries_.reserve(entries); }

bool operator==(const Map& a, const Map& b) noexcept { return a.entries_ == b.entries_; }

// Array

Array::Array(Type element_type) noexcept : element_type_(element_type) {}
Array::Array(std::vector<Value> elements) : items_(std::move(elements)), element_type_(Type::null) {
    if (items_.empty()) return;
    element_type_ = items_.front().type();
    if (element_type_ != Type::described) return;
    // One constructor serves all elements: descriptors that are all the same belong to it. [1.2.4-c]
    const Value common = items_.front().as<Described>().descriptor();
    const bool same = std::all_of(items_.begin(), items_.end(), [&](const Value& element) {
        const auto* described = element.get_if<Described>();
        return described != nullptr && described->descriptor() == common;
    });
    if (!same) return;
    std::vector<Value> plain;
    plain.reserve(items_.size());
    for (Value& element : items_) plain.push_back(std::move(element.as<Described>().value()));
    const Array inner(std::move(plain));
    element_type_ = inner.element_type_;
    descriptor_count_ = inner.descriptor_count_ + 1;
    items_ = {common};
    items_.insert(items_.end(), inner.items_.begin(), inner.items_.end());
}
Array::Array(Type element_type, std::vector<Value> elements)
    : items_(std::move(elements)), element_type_(element_type) {}
Array::Array(Type element_type, std::vector<Value> elements, std::vector<Value> descriptors)
    : items_(std::move(descriptors)),
      descriptor_count_(static_cast<std::uint32_t>(items_.size())),
      element_type_(element_type) {
    items_.insert(items_.end(), std::make_move_iterator(elements.begin()), std::make_move_iterator(elements.end()));
}
Array::Array(const Array&) = default;
Array::Array(Array&&) noexcept = default;
Array& Array::operator=(const Array&) = default;
Array& Array::operator=(Array&&) noexcept = default;
Array::~Array() = default;

std::span<const Value> Array::descriptors() const noexcept { return std::span(items_).first(descriptor_count_); }
std::span<const Value> Array::elements() const noexcept { return std::span(items_).subspan(descriptor_count_); }
std::size_t Array::size() const noexcept { return items_.size() - descriptor_count_; }

bool operator==(const Array& a, const Array& b) noexcept {
    return a.element_type_ == b.element_type_ && a.descriptor_count_ == b.descriptor_count_ && a.items_ == b.items_;
}

// Described

Described::Described(Value descriptor, Value value) {
    parts_.reserve(2);
    parts_.push_back(std::move(descriptor));
    parts_.push_back(std::move(value));
}
Described::Described(const Described&) = default;
Described::Described(Described&&) noexcept = default;
Described& Described::operator=(const Described&) = default;
Described& Described::operator=(Described&&) noexcept = default;
Described::~Described() = default;

const Value& Described::descriptor() const noexcept { return parts_.front(); }
const Value& Described::value() const noexcept { return parts_.back(); }
Value& Described::value() noexcept { return parts_.back(); }

bool operator==(const Described& a, const Described& b) noexcept { return a.parts_ == b.parts_; }

// Value

Value::Value() noexcept = default;
Value::Value(const Value&) = default;
Value::Value(Value&&) noexcept = default;
Value& Value::operator=(const Value&) = default;
Value& Value::operator=(Value&&) noexcept = default;
Value::~Value() = default;

template <class T>
Value::Value(detail::Scalar<T> v) noexcept : data_(std::in_place_type<T>, v.v) {}
template Value::Value(detail::Scalar<bool>) noexcept;
template Value::Value(detail::Scalar<std::uint8_t>) noexcept;
template Value::Value(detail::Scalar<std::uint16_t>) noexcept;
template Value::Value(detail::Scalar<std::uint32_t>) noexcept;
template Value::Value(detail::Scalar<std::uint64_t>) noexcept;
template Value::Value(detail::Scalar<std::int8_t>) noexcept;
template Value::Value(detail::Scalar<std::int16_t>) noexcept;
template Value::Value(detail::Scalar<std::int32_t>) noexcept;
template Value::Value(detail::Scalar<std::int64_t>) noexcept;

Value::Value(float v) noexcept : data_(std::in_place_type<float>, v) {}
Value::Value(double v) noexcept : data_(std::in_place_type<double>, v) {}
Value::Value(char32_t v) noexcept : data_(std::in_place_type<char32_t>, v) {}
Value::Value(Decimal32 v) noexcept : data_(std::in_place_type<Decimal32>, v) {}
Value::Value(Decimal64 v) noexcept : data_(std::in_place_type<Decimal64>, v) {}
Value::Value(Decimal128 v) noexcept : data_(std::in_place_type<Decimal128>, v) {}
Value::Value(Timestamp v) noexcept : data_(std::in_place_type<Timestamp>, v) {}
Value::Value(Uuid v) noexcept : data_(std::in_place_type<Uuid>, v) {}
Value::Value(Binary v) noexcept : data_(std::in_place_type<Binary>, std::move(v)) {}
Value::Value(const char* v) : data_(std::in_place_type<std::string>, v) {}
Value::Value(std::string_view v) : data_(std::in_place_type<std::string>, v) {}
Value::Value(std::string v) noexcept : data_(std::in_place_type<std::string>, std::move(v)) {}
Value::Value(Symbol v) noexcept : data_(std::in_place_type<Symbol>, std::move(v)) {}
Value::Value(List v) noexcept : data_(std::in_place_type<List>, std::move(v)) {}
Value::Value(Map v) noexcept : data_(std::in_place_type<Map>, std::move(v)) {}
Value::Value(Array v) noexcept : data_(std::in_place_type<Array>, std::move(v)) {}
Value::Value(Described v) noexcept : data_(std::in_place_type<Described>, std::move(v)) {}

namespace {

struct ToInteger {
    template <class Wanted, class T>
    static std::optional<Wanted> convert(const T& v) noexcept {
        if constexpr (detail::PlainInteger<T>) {
            if (std::in_range<Wanted>(v)) return static_cast<Wanted>(v);
        }
        return std::nullopt;
    }
};

template <class Range>
std::strong_ordering compare_all(const Range& a, const Range& b) noexcept {
    return std::lexicographical_compare_three_way(a.begin(), a.end(), b.begin(), b.end(), &Value::compare);
}

struct Compare {
    const Value& other;

    template <class T>
    std::strong_ordering operator()(const T& v) const noexcept {
        return order(v, *other.get_if<T>());
    }

    static std::strong_ordering order(std::monostate, std::monostate) noexcept { return std::strong_ordering::equal; }
    static std::strong_ordering order(float a, float b) noexcept {
        return std::bit_cast<std::uint32_t>(a) <=> std::bit_cast<std::uint32_t>(b);
    }
    static std::strong_ordering order(double a, double b) noexcept {
        return std::bit_cast<std::uint64_t>(a) <=> std::bit_cast<std::uint64_t>(b);
    }
    static std::strong_ordering order(const List& a, const List& b) noexcept { return compare_all(a, b); }
    static std::strong_ordering order(const Map& a, const Map& b) noexcept {
        return std::lexicographical_compare_three_way(a.begin(), a.end(), b.begin(), b.end(),
                                                      [](const Map::Entry& x, const Map::Entry& y) {
                                                          const auto keys = Value::compare(x.first, y.first);
                                                          return keys != 0 ? keys : Value::compare(x.second, y.second);
                                                      });
    }
    static std::strong_ordering order(const Array& a, const Array& b) noexcept {
        if (const auto types = a.element_type() <=> b.element_type(); types != 0) return types;
        if (const auto all = compare_all(a.descriptors(), b.descriptors()); all != 0) return all;
        return compare_all(a.elements(), b.elements());
    }
    static std::strong_ordering order(const Described& a, const Described& b) noexcept {
        const auto descriptors = Value::compare(a.descriptor(), b.descriptor());
        return descriptors != 0 ? descriptors : Value::compare(a.value(), b.value());
    }
    template <class T>
    static std::strong_ordering order(const T& a, const T& b) noexcept {
        return a <=> b;
    }
};

}  // namespace

std::optional<std::int64_t> Value::to_int64() const noexcept {
    return visit([](const auto& v) { return ToInteger::convert<std::int64_t>(v); });
}
std::optional<std::uint64_t> Value::to_uint64() const noexcept {
    return visit([](const auto& v) { return ToInteger::convert<std::uint64_t>(v); });
}
std::optional<bool> Value::to_bool() const noexcept {
    const bool* v = get_if<bool>();
    return v != nullptr ? std::optional(*v) : std::nullopt;
}
std::optional<std::string_view> Value::to_text() const noexcept {
    if (const auto* v = get_if<std::string>()) return *v;
    if (const auto* v = get_if<Symbol>()) return v->view();
    return std::nullopt;
}

std::strong_ordering Value::compare(const Value& a, const Value& b) noexcept {
    if (const auto types = a.type() <=> b.type(); types != 0) return types;
    return a.visit(Compare{b});
}

bool operator==(const Value& a, const Value& b) noexcept { return Value::compare(a, b) == 0; }

}  // namespace aprotic::codec
