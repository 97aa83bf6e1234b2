#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <aprotic/engine/broker/message_queue.hpp>

namespace aprotic::engine::broker {

/// Gives messages to a node. Whoever implements it is owned elsewhere and removes itself from the node in time.
class Producer {
public:
    virtual ~Producer() = default;
    /// Allows `more` deliveries.
    virtual void grant(std::uint32_t more) = 0;
    virtual void node_deleted() = 0;

private:
    friend class Node;
    std::uint32_t granted_ = 0;  // allowed and not yet used
    bool starving_ = false;
};

/// A link that takes from a node, as the node sees it.
class NodeConsumer : public Consumer {
public:
    virtual void node_deleted() = 0;
    std::shared_ptr<MessageQueue> queue;  ///< given by the node: where its messages go back to
};

/// When a node goes away by itself. [3.5.9]
enum class Lifetime {
    forever,             ///< configured
    link,                ///< with the link that had it made: delete-on-close [3.5.10]
    links,               ///< delete-on-no-links [3.5.11]
    link_then_messages,  ///< with its last message after that link: delete-on-no-messages [3.5.12]
    links_and_messages,  ///< when it has neither: delete-on-no-links-or-messages [3.5.13]; also of nodes made by a
                         ///< pattern
};

enum class NodeKind { queue, topic };

struct NodeLimits {
    std::size_t messages_max = 0;
    std::size_t bytes_max = 0;
    std::uint32_t credit_max = 0;  ///< per producer
};

/// What an address stands for. A queue keeps a message until one consumer has taken it; a topic gives it to every
/// consumer that is there, each with a backlog of its own, and forgets it.
///
/// A full queue gives no credit. What was granted before still arrives; beyond twice the bound it is not taken. A topic
/// is never full: a subscriber that falls behind loses its oldest messages.
class Node : public std::enable_shared_from_this<Node> {
public:
    struct Identity {
        std::string address;
        NodeKind kind = NodeKind::queue;
        Lifetime lifetime = Lifetime::forever;
        bool dynamic = false;
        bool keeps = true;                             ///< a queue that does not drops what nobody takes at once
        std::vector<codec::Symbol> capabilities = {};  ///< told to whoever attaches
    };

    /// `on_unused` is called when the node's lifetime may be over; the node may be dropped inside it.
    Node(Reactor& reactor, Identity identity, NodeLimits limits, std::shared_ptr<Spares> spares,
         Function<void(Node&)> on_unused);
    ~Node();

    const Identity& identity() const noexcept { return identity_; }
    bool is_topic() const noexcept { return identity_.kind == NodeKind::topic; }

    /// What the next message is put into.
    StoredPtr blank() { return spares_->take(); }

    enum class Verdict { stored, full };
    /// From a producer whose credit it uses. Small messages that have to wait are copied out of the receive buffer they
    /// would pin.
    Verdict take(Producer& from, StoredPtr stored);
    /// What take() does beside taking: for a delivery that was refused before it came here.
    void use_credit(Producer& from);
    /// From a producer without credit for this node, the anonymous terminus.
    Verdict take(StoredPtr stored);
    /// Keeps a place for a message that a transaction holds: publish() or cancel() follows. It counts as if it were
    /// there already.
    Verdict reserve(Stored& stored);
    void publish(StoredPtr stored);
    void cancel(const Stored& stored);

    void add(Producer& producer);
    void remove(Producer& producer);
    void add(NodeConsumer& consumer);
    void remove(NodeConsumer& consumer);
    /// The link that had the node made has gone. [3.5.10]
    void creator_gone();

    /// Whether its lifetime is over.
    bool expired() const;
    /// Calls `on_unused` if it is. Done by itself whenever a link or a message goes.
    void review();
    /// Tells all links; the node takes nothing any more.
    void shut_down();
    bool gone() const noexcept { return gone_; }

    /// Drops what waits, and tells how much that was.
    std::size_t purge();

    std::size_t messages() const;
    std::size_t bytes() const;
    std::size_t producers() const noexcept { return producers_.size(); }
    std::size_t consumers() const noexcept { return consumers_.size(); }

private:
    bool full() const { return over(1); }
    bool over(std::size_t times) const;
    void store(StoredPtr stored);
    void top_up(Producer& producer);
    void on_less();
    void leave_reserve(const Stored& stored) noexcept;

    Reactor& reactor_;
    const Identity identity_;
    const NodeLimits limits_;
    const std::shared_ptr<Spares> spares_;
    Function<void(Node&)> on_unused_;
    std::shared_ptr<MessageQueue> queue_;  // of a queue; a topic has one per consumer
    std::vector<Producer*> producers_;
    std::vector<NodeConsumer*> consumers_;
    std::vector<Producer*> starving_;  // without credit since the node was full
    std::size_t granted_ = 0;          // by all producers together
    std::size_t reserved_messages_ = 0;
    std::size_t reserved_bytes_ = 0;
    bool creator_gone_ = false;
    bool gone_ = false;
};

}  // namespace aprotic::engine::broker
