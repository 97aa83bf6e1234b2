#include <algorithm>
#include <utility>

#include <aprotic/engine/state/remote_attach.hpp>

namespace aprotic::engine {

void RemoteAttach::clear() noexcept {
    if (form_ == Form::decoded) std::destroy_at(&decoded_);
    if (form_ == Form::octets) std::destroy_at(&octets_);
    form_ = Form::none;
}

void RemoteAttach::set(codec::Attach attach) {
    auto decoded = std::make_unique<const codec::Attach>(std::move(attach));
    clear();
    std::construct_at(&decoded_, std::move(decoded));
    form_ = Form::decoded;
}

void RemoteAttach::unpack(codec::Attach expected) {
    expected.handle = number_;
    if (message_size_max_ != 0) expected.max_message_size = message_size_max_;
    set(std::move(expected));
}

void RemoteAttach::unpack() {
    auto attach = codec::decode_as<codec::Attach>({octets_.get(), number_});
    APROTIC_ASSERT(attach);  // our own octets
    set(std::move(*attach));
}

void RemoteAttach::pack(codec::Attach expected) {
    if (form_ != Form::decoded || given_) return;
    const codec::Attach& theirs = *decoded_;
    expected.handle = theirs.handle;
    expected.max_message_size = theirs.max_message_size;
    const std::uint64_t message_size_max = theirs.max_message_size.value_or(0);
    if (theirs == expected && (message_size_max != 0 || !theirs.max_message_size)) {
        clear();
        message_size_max_ = message_size_max;
        number_ = expected.handle;
        form_ = Form::expected;
        return;
    }
    codec::Encoder to;
    encode(to, theirs);
    const auto written = to.written();
    auto octets = std::make_unique<std::byte[]>(written.size());
    std::copy(written.begin(), written.end(), octets.get());
    clear();
    std::construct_at(&octets_, std::move(octets));
    number_ = static_cast<std::uint32_t>(written.size());
    form_ = Form::octets;
}

}  // namespace aprotic::engine
