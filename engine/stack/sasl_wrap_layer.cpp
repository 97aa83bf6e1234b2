#include <aprotic/engine/stack/sasl_wrap_layer.hpp>

#include <fmt/core.h>

#include <aprotic/codec/bytes.hpp>

namespace aprotic::engine::stack {

std::size_t SaslWrapLayer::read(std::span<std::byte> into) {
    if (plain_left() == 0 && !input_.empty() && status_ == Status::open) {
        plain_.clear();
        plain_read_ = 0;
        if (!layer_->unwrap(input_.unread(), plain_)) fail("what the peer sent cannot be unwrapped");
        input_.clear();
    }
    if (status_ != Status::open) return 0;
    const std::size_t n = std::min(into.size(), plain_left());
    codec::copy_bytes(into.first(n), std::span<const std::byte>(plain_).subspan(plain_read_, n));
    plain_read_ += n;
    return n;
}

std::size_t SaslWrapLayer::write(std::span<const std::byte> from) {
    if (status_ != Status::open || output_ended_) return from.size();
    if (output_.size() >= layer_output_max) return 0;
    const std::size_t n = std::min(from.size(), layer_->plain_max() - gathered_.size());
    gathered_.insert(gathered_.end(), from.begin(), from.begin() + static_cast<std::ptrdiff_t>(n));
    if (gathered_.size() == layer_->plain_max()) flush();
    return n;
}

void SaslWrapLayer::flush() {
    if (gathered_.empty() || status_ != Status::open) return;
    wrapped_.clear();
    if (!layer_->wrap(gathered_, wrapped_)) fail("what we send cannot be wrapped");
    gathered_.clear();
    output_.append(wrapped_);
}

void SaslWrapLayer::end_output() {
    flush();
    output_ended_ = true;
}

void SaslWrapLayer::fail(const char* what) {
    status_ = Status::failed;
    failure_ = {Errc::protocol_violation,
                Initiator::us,
                {},
                fmt::format("{} by the SASL security layer of {} bits: {} (sasl.cyrus.layer_bits_max)", what,
                            layer_->bits(), layer_->reason())};
}

}  // namespace aprotic::engine::stack
