#include "peer/memory_channel.hpp"

#include <algorithm>
#include <utility>

namespace aprotic::peer {

void MemoryChannel::write(std::span<const std::byte> bytes) {
    to_machine_.insert(to_machine_.end(), bytes.begin(), bytes.end());
    push();
}

std::vector<std::byte> MemoryChannel::read(Duration patience) {
    push();
    pull();
    while (from_machine_.empty() && patience > Duration::zero() && !machine_.closed()) {
        patience -= machine_.advance(patience);
        pull();
    }
    return std::exchange(from_machine_, {});
}

bool MemoryChannel::at_end() {
    push();
    pull();
    return from_machine_.empty() && machine_.closed();
}

void MemoryChannel::end_of_stream() {
    push();
    machine_.end_of_input();
    pull();
}

void MemoryChannel::push() {
    std::size_t done = 0;
    while (done < to_machine_.size() && !machine_.closed()) {
        const std::size_t size =
            piece(to_machine_.size() - done, plan_.input_chunk, plan_.input_bytes, plan_.split_input_at);
        step();
        const std::size_t taken = machine_.feed(std::span(to_machine_).subspan(done, size));
        plan_.input_bytes += taken;
        done += taken;
        // A real stream writes between two reads; so does this one.
        pull();
        if (taken < size) break;
    }
    if (machine_.closed()) done = to_machine_.size();
    to_machine_.erase(to_machine_.begin(), to_machine_.begin() + static_cast<std::ptrdiff_t>(done));
}

void MemoryChannel::pull() {
    for (;;) {
        const auto bytes =
            machine_.take_output(piece(SIZE_MAX, plan_.output_chunk, plan_.output_bytes, plan_.split_output_at));
        if (bytes.empty()) return;
        plan_.output_bytes += bytes.size();
        from_machine_.insert(from_machine_.end(), bytes.begin(), bytes.end());
        step();
    }
}

void MemoryChannel::step() {
    const std::size_t now = plan_.steps++;
    if (plan_.fail_at_step != now) return;
    machine_.cut(plan_.cut);
    throw StreamCut("the stream was cut at step " + std::to_string(now));
}

std::size_t MemoryChannel::piece(std::size_t wanted, std::size_t chunk, std::size_t position,
                                 std::optional<std::size_t> split) const {
    std::size_t size = std::min(wanted, chunk);
    if (split && position < *split) size = std::min(size, *split - position);
    return size;
}

}  // namespace aprotic::peer
