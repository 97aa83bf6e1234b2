#include <aprotic/engine/broker/node.hpp>

#include <algorithm>
#include <utility>

namespace aprotic::engine::broker {

namespace {

// A message smaller than a sixteenth of a receive slab would hold much more memory than it counts for, if it waited in
// place.
constexpr std::size_t small_message = 4 * 1024;

void leave_slab(Stored& stored) {
    const auto& octets = stored.message.octets();
    if (octets.size() >= small_message) return;
    codec::Bytes own =
        octets.segments().size() > 1 ? octets.contiguous() : codec::Bytes::copy_of(octets.contiguous().span());
    stored.message = codec::EncodedMessage(std::move(own), stored.message.message_format());
}

}  // namespace

Node::Node(Reactor& reactor, Identity identity, NodeLimits limits, std::shared_ptr<Spares> spares,
           Function<void(Node&)> on_unused)
    : reactor_(reactor),
      identity_(std::move(identity)),
      limits_(limits),
      spares_(std::move(spares)),
      on_unused_(std::move(on_unused)) {
    if (!is_topic()) queue_ = std::make_shared<MessageQueue>(reactor_, spares_, [this] { on_less(); });
}

Node::~Node() {
    if (queue_) queue_->orphan();
    for (auto* consumer : consumers_) consumer->queue->orphan();
}

Node::Verdict Node::take(Producer& from, StoredPtr stored) {
    const bool fits = !over(2);
    if (fits) store(std::move(stored));
    use_credit(from);
    return fits ? Verdict::stored : Verdict::full;
}

void Node::use_credit(Producer& from) {
    // A peer may send more than it was allowed only as far as the engine lets it; the account stays right.
    if (from.granted_ != 0) {
        --from.granted_;
        --granted_;
    }
    top_up(from);
}

Node::Verdict Node::take(StoredPtr stored) {
    if (full()) return Verdict::full;
    store(std::move(stored));
    return Verdict::stored;
}

Node::Verdict Node::reserve(Stored& stored) {
    const bool topic_full = reserved_messages_ >= limits_.messages_max || reserved_bytes_ >= limits_.bytes_max;
    if (is_topic() ? topic_full : over(2)) return Verdict::full;
    leave_slab(stored);
    ++reserved_messages_;
    reserved_bytes_ += stored.message.size();
    return Verdict::stored;
}

void Node::leave_reserve(const Stored& stored) noexcept {
    --reserved_messages_;
    reserved_bytes_ -= stored.message.size();
}

void Node::publish(StoredPtr stored) {
    leave_reserve(*stored);
    store(std::move(stored));
    review();
}

void Node::cancel(const Stored& stored) {
    leave_reserve(stored);
    on_less();
}

void Node::store(StoredPtr stored) {
    if (!is_topic()) {
        if (queue_->passes_through()) return queue_->push_through(std::move(stored));
        if (!identity_.keeps) return;
        leave_slab(*stored);
        return queue_->push(std::move(stored));
    }
    if (std::ranges::any_of(consumers_, [](const NodeConsumer* c) { return !c->queue->passes_through(); }))
        leave_slab(*stored);
    for (std::size_t i = 0; i < consumers_.size(); ++i) {
        auto& queue = *consumers_[i]->queue;
        const auto& backlog = queue.backlog();
        while ((backlog.messages() >= limits_.messages_max || backlog.bytes() >= limits_.bytes_max) &&
               queue.drop_oldest()) {
        }
        StoredPtr copy = spares_->take();
        *copy = *stored;
        queue.passes_through() ? queue.push_through(std::move(copy)) : queue.push(std::move(copy));
    }
}

void Node::add(Producer& producer) {
    producers_.push_back(&producer);
    top_up(producer);
}

void Node::remove(Producer& producer) {
    granted_ -= std::exchange(producer.granted_, 0);
    std::erase(producers_, &producer);
    std::erase(starving_, &producer);
    review();
}

void Node::add(NodeConsumer& consumer) {
    consumers_.push_back(&consumer);
    consumer.queue = is_topic() ? std::make_shared<MessageQueue>(reactor_, spares_, [this] { on_less(); }) : queue_;
    consumer.queue->add(consumer);
}

void Node::remove(NodeConsumer& consumer) {
    std::erase(consumers_, &consumer);
    consumer.queue->remove(consumer);
    if (is_topic()) consumer.queue->orphan();
    review();
}

void Node::creator_gone() {
    creator_gone_ = true;
    review();
}

bool Node::expired() const {
    if (reserved_messages_ != 0 && identity_.lifetime != Lifetime::link) return false;
    const bool links = !producers_.empty() || !consumers_.empty();
    switch (identity_.lifetime) {
        case Lifetime::forever: return false;
        case Lifetime::link: return creator_gone_;
        case Lifetime::links: return !links;
        case Lifetime::link_then_messages: return creator_gone_ && messages() == 0;
        case Lifetime::links_and_messages: return !links && messages() == 0;
    }
    return false;
}

void Node::shut_down() {
    gone_ = true;
    on_unused_ = {};
    for (auto* producer : std::vector(producers_)) producer->node_deleted();
    for (auto* consumer : std::vector(consumers_)) consumer->node_deleted();
}

std::size_t Node::purge() {
    std::size_t count = 0;
    while (!is_topic() && queue_->drop_oldest()) ++count;
    return count;
}

std::size_t Node::messages() const {
    if (!is_topic()) return queue_->backlog().messages();
    std::size_t sum = 0;
    for (const auto* consumer : consumers_) sum += consumer->queue->backlog().messages();
    return sum;
}

std::size_t Node::bytes() const {
    if (!is_topic()) return queue_->backlog().bytes();
    std::size_t sum = 0;
    for (const auto* consumer : consumers_) sum += consumer->queue->backlog().bytes();
    return sum;
}

bool Node::over(std::size_t times) const {
    if (is_topic()) return false;
    const auto& backlog = queue_->backlog();
    return (backlog.messages() + reserved_messages_) / times >= limits_.messages_max ||
           (backlog.bytes() + reserved_bytes_) / times >= limits_.bytes_max;
}

void Node::top_up(Producer& producer) {
    if (producer.starving_ || producer.granted_ > limits_.credit_max / 2) return;
    std::size_t room = limits_.credit_max;
    if (!is_topic()) {
        if (full()) {
            if (producer.granted_ == 0) {
                producer.starving_ = true;
                starving_.push_back(&producer);
            }
            return;
        }
        // What others were granted and may never use must not lock this one out: it gets at least one.
        const std::size_t promised = queue_->backlog().messages() + reserved_messages_ + granted_;
        room = promised < limits_.messages_max ? limits_.messages_max - promised : (producer.granted_ == 0 ? 1 : 0);
    }
    const auto more = static_cast<std::uint32_t>(std::min<std::size_t>(limits_.credit_max - producer.granted_, room));
    if (more == 0) return;
    producer.granted_ += more;
    granted_ += more;
    producer.grant(more);
}

void Node::on_less() {
    // Not for every single message that leaves: a quarter of the room at a time, so that flow frames stay few.
    if (!starving_.empty() && messages() + reserved_messages_ <= limits_.messages_max / 4 * 3 &&
        bytes() + reserved_bytes_ <= limits_.bytes_max / 4 * 3) {
        for (auto* producer : std::exchange(starving_, {})) {
            producer->starving_ = false;
            top_up(*producer);
        }
    }
    review();
}

void Node::review() {
    if (!on_unused_ || !expired()) return;
    auto self = shared_from_this();
    on_unused_(*this);
}

}  // namespace aprotic::engine::broker
