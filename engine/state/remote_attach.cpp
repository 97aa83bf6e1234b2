#include <algorithm>

#include <aprotic/engine/state/remote_attach.hpp>

namespace aprotic::engine {

const codec::Attach* RemoteAttach::get() {
    if (!known()) return nullptr;
    given_ = true;
    return &peek();
}

const codec::Attach& RemoteAttach::peek() {
    if (!decoded_) {
        auto attach = codec::decode_as<codec::Attach>({encoded_.get(), encoded_bytes_});
        APROTIC_ASSERT(attach);  // our own octets
        decoded_ = std::make_unique<const codec::Attach>(std::move(*attach));
        encoded_.reset();
    }
    return *decoded_;
}

void RemoteAttach::pack() {
    if (!decoded_ || given_) return;
    codec::Encoder to;
    encode(to, *decoded_);
    const auto octets = to.written();
    auto kept = std::make_unique<std::byte[]>(octets.size());
    std::copy(octets.begin(), octets.end(), kept.get());
    encoded_ = std::move(kept);
    encoded_bytes_ = static_cast<std::uint32_t>(octets.size());
    decoded_.reset();
}

}  // namespace aprotic::engine
