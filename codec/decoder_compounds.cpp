// The decoder's described values, lists, maps and arrays, and stepping over any of them. [1.2.3], [1.2.4], [1.5]
#include <aprotic/codec/reading/decoder_steps.hpp>
#include <aprotic/codec/utf8.hpp>

namespace aprotic::codec {

namespace {

bool is_compound(std::uint8_t format_code) noexcept { return (format_code & 0xe0U) == 0xc0; }

}  // namespace

// Described values

Descriptor Decoder::read_descriptor() noexcept {
    Descriptor found;
    if (const std::optional<std::uint8_t> code = peek_short_descriptor()) {
        value_at_ = at_;
        at_ += 3;
        found.code = *code;
        return found;
    }
    const std::uint8_t first = take_code();
    const std::byte* const described_at = value_at_;
    if (first != code::described) {
        if (type_of_code(first)) fail_at(Errc::bad_descriptor, described_at);
        wrong_type(first);
        return found;
    }
    const std::optional<Type> type = peek();
    if (type == Type::ulong) {
        found.code = read_ulong();
    } else if (type == Type::symbol) {
        found.numeric = false;
        found.symbol = read_symbol();
    } else if (type) {
        fail_at(Errc::bad_descriptor, described_at);
    }
    value_at_ = described_at;
    return found;
}

bool Decoder::enter_described() noexcept {
    const std::uint8_t found = take_code();
    if (found != code::described) {
        wrong_type(found);
        return false;
    }
    return deeper();
}

void Decoder::leave_described() noexcept { --depth_; }

// Compounds and arrays

/// Size and count; the cursor then stands at the first item, or at the element constructor.
Decoder::Scope Decoder::enter_sized(std::uint8_t format_code) noexcept {
    Scope scope;
    const std::size_t width = size_width(format_code);
    const std::size_t size = take_size(format_code);
    if (!ok()) return scope;
    if (size > static_cast<std::size_t>(end_ - at_)) return fail_at(Errc::length_out_of_bounds, value_at_), scope;
    if (size < width) return fail_at(Errc::compound_size_too_small, value_at_), scope;
    if (!deeper()) return scope;
    scope.end = at_ + size;
    scope.outer_end = end_;
    scope.outer_forced = forced_code_;
    scope.count = static_cast<std::uint32_t>(take_size(format_code));
    end_ = scope.end;
    forced_code_ = 0;
    ++open_scopes_;
    return scope;
}

void Decoder::open_items(Scope& scope) noexcept {
    if (!ok()) return;
    // Every item takes an octet at least, so a larger count is a lie that must not be believed. [1.2-i]
    if (scope.count > static_cast<std::size_t>(end_ - at_)) {
        fail_at(Errc::compound_size_mismatch, value_at_);
    } else {
        spend(scope.count);
    }
}

Decoder::Scope Decoder::enter_list() noexcept {
    const std::uint8_t found = take_code();
    if (found == code::list0) {
        if (!deeper()) return {};
        Scope scope;
        scope.end = at_;
        scope.outer_end = end_;
        scope.outer_forced = forced_code_;
        end_ = at_;
        forced_code_ = 0;
        ++open_scopes_;
        return scope;
    }
    if (found != code::list8 && found != code::list32) return wrong_type(found), Scope();
    Scope scope = enter_sized(found);
    open_items(scope);
    return scope;
}

Decoder::Scope Decoder::enter_map() noexcept {
    const std::uint8_t found = take_code();
    if (found != code::map8 && found != code::map32) return wrong_type(found), Scope();
    Scope scope = enter_sized(found);
    if (ok() && scope.count % 2 != 0) fail_at(Errc::odd_map, value_at_);  // [1.6.23-a]
    open_items(scope);
    return scope;
}

Decoder::Scope Decoder::enter_array() noexcept {
    const std::uint8_t found = take_code();
    if (found != code::array8 && found != code::array32) return wrong_type(found), Scope();
    Scope scope = enter_sized(found);
    open_elements(scope);
    return scope;
}

void Decoder::open_elements(Scope& scope) noexcept {
    if (!ok()) return;
    const std::byte* const array_at = value_at_;
    const std::byte* const constructor_at = at_;
    const std::uint32_t depth = depth_;
    while (at_ != end_ && *at_ == std::byte{code::described}) {
        ++at_;
        if (!deeper()) return;
        skip_checked();
        if (!ok()) return;
    }
    depth_ = depth;
    scope.descriptors = {constructor_at, at_};
    if (at_ == end_) {  // [1.2.4-b]
        fail_at(Errc::array_without_constructor, array_at);
        return;
    }
    scope.element_code = std::to_integer<std::uint8_t>(*at_);
    value_at_ = at_;
    if (!type_of_code(scope.element_code)) return wrong_type(scope.element_code);
    ++at_;
    value_at_ = array_at;
    const auto left = static_cast<std::size_t>(end_ - at_);
    const bool fixed = scope.element_code < code::vbin8;
    const std::size_t width = fixed ? fixed_width(scope.element_code) : 1;
    if (fixed ? std::uint64_t{scope.count} * width != left : scope.count > left) {  // [1.2.4-g]
        fail_at(Errc::array_size_mismatch, array_at);
        return;
    }
    if (width == 0) {
        // Any number of these fits in no octets at all. [1.2.4-e]
        if (scope.count > limits_.zero_width_max - zero_width_) {
            fail_at(Errc::too_many_elements, array_at);
            return;
        }
        zero_width_ += scope.count;
    }
    if (spend(scope.count)) forced_code_ = scope.element_code;
}

bool Decoder::leave(const Scope& scope) noexcept {
    if (!ok()) return false;
    if (at_ != scope.end)
        return fail(scope.element_code != 0 ? Errc::array_size_mismatch : Errc::compound_size_mismatch);
    end_ = scope.outer_end;
    forced_code_ = scope.outer_forced;
    --open_scopes_;
    --depth_;
    return true;
}

// Stepping over

void Decoder::skip() noexcept {
    // A performative or a section, as most are written.
    if (peek_short_descriptor() && end_ - at_ >= 5 && at_[3] == std::byte{code::list8} && depth_ < limits_.depth_max) {
        const std::ptrdiff_t size = 5 + std::to_integer<std::ptrdiff_t>(at_[4]);
        if (size <= end_ - at_) {
            value_at_ = at_;
            at_ += size;
            return;
        }
    }
    skip_body(take_code(), false);
}
void Decoder::skip_checked() noexcept { skip_body(take_code(), true); }

std::span<const std::byte> Decoder::read_raw() noexcept {
    const std::byte* const start = at_;
    skip();
    if (!ok()) return {};
    return {start, at_};
}

void Decoder::skip_body(std::uint8_t format_code, bool checked) noexcept {
    if (!ok()) return;
    const std::optional<Type> type = type_of_code(format_code);
    if (!type) return wrong_type(format_code);
    if (type == Type::described) {
        if (!deeper()) return;
        skip_body(take_code(), checked);
        skip_body(take_code(), checked);
        --depth_;
        return;
    }
    if (format_code < code::vbin8) {
        const std::size_t width = fixed_width(format_code);
        const std::byte* at = take(width);
        if (!checked || at == nullptr) return;
        if (format_code == code::boolean && std::to_integer<unsigned>(*at) > 1) fail_at(Errc::bad_boolean, value_at_);
        if (format_code == code::char_ && !is_scalar_value(load_be<std::uint32_t>(at)))
            fail_at(Errc::bad_char, value_at_);
        return;
    }
    if (!is_compound(format_code) && type != Type::array) {
        const std::span<const std::byte> octets = take_variable(format_code);
        if (checked && octets.size() > limits_.string_max) fail_at(Errc::string_too_long, value_at_);
        if (checked && type == Type::string && !is_utf8(octets)) fail_at(Errc::bad_utf8, value_at_);
        if (checked && type == Type::symbol && !is_ascii(octets)) fail_at(Errc::bad_symbol, value_at_);
        return;
    }
    if (!checked) {
        take_variable(format_code);  // the size is a length
        return;
    }
    Scope scope = enter_sized(format_code);
    if (type == Type::array) {
        open_elements(scope);
    } else {
        if (ok() && type == Type::map && scope.count % 2 != 0) fail_at(Errc::odd_map, value_at_);
        open_items(scope);
    }
    for (std::uint32_t i = 0; i < scope.count && ok(); ++i) skip_body(take_code(), true);
    leave(scope);
}

}  // namespace aprotic::codec
