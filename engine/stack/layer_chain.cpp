#include <aprotic/engine/stack/layer_chain.hpp>

#include <algorithm>

namespace aprotic::engine::stack {

void LayerChain::start() {
    for (const auto& layer : layers_) layer->start();
}

bool LayerChain::has_output() const noexcept {
    return std::ranges::any_of(layers_, [](const auto& layer) { return layer->has_output(); });
}

bool LayerChain::has_input() const noexcept {
    return std::ranges::any_of(layers_, [](const auto& layer) { return layer->has_input(); });
}

std::size_t LayerChain::read_from(std::size_t level, std::span<std::byte> into) {
    ByteLayer& layer = *layers_[level];
    while (true) {
        if (const std::size_t n = layer.read(into)) return n;
        if (level == 0) return 0;
        const std::span<std::byte> room = layer.prepare_input();
        if (room.empty()) return 0;
        const std::size_t n = read_from(level - 1, room);
        if (n == 0) return 0;
        layer.commit_input(n);
    }
}

void LayerChain::move_down(std::size_t level) {
    if (level == 0) return;
    ByteLayer& layer = *layers_[level];
    for (auto octets = layer.output(); !octets.empty(); octets = layer.output()) {
        const std::size_t n = layers_[level - 1]->write(octets);
        if (n == 0) return;
        layer.commit_output(n);
    }
}

void LayerChain::flush() {
    for (std::size_t level = layers_.size(); level-- > 0;) {
        layers_[level]->flush();
        move_down(level);
    }
}

void LayerChain::abandon_handshake() noexcept {
    for (const auto& layer : layers_) layer->abandon_handshake();
}

void LayerChain::end_output() {
    for (std::size_t level = layers_.size(); level-- > 0;) {
        layers_[level]->end_output();
        move_down(level);
        // What is below still has to carry the rest.
        if (level > 0 && layers_[level]->has_output()) return;
        if (level > 0) layers_[level - 1]->flush();
    }
}

ByteLayer::Status LayerChain::status() const noexcept {
    using Status = ByteLayer::Status;
    const auto any = [this](Status status) {
        return std::ranges::any_of(layers_, [status](const auto& layer) { return layer->status() == status; });
    };
    for (const Status status : {Status::failed, Status::ended, Status::handshaking})
        if (any(status)) return status;
    return Status::open;
}

const Failure& LayerChain::failure() const noexcept {
    const auto failed =
        std::ranges::find_if(layers_, [](const auto& layer) { return layer->status() == ByteLayer::Status::failed; });
    APROTIC_ASSERT(failed != layers_.end());
    return (*failed)->failure();
}

std::string LayerChain::progress() const {
    const auto shaking = std::ranges::find_if(
        layers_, [](const auto& layer) { return layer->status() == ByteLayer::Status::handshaking; });
    return (shaking == layers_.end() ? layers_.back() : *shaking)->progress();
}

}  // namespace aprotic::engine::stack
