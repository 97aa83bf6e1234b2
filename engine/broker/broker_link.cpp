#include <aprotic/engine/broker/broker_link.hpp>

#include <limits>
#include <optional>
#include <string>
#include <utility>

#include <fmt/format.h>

namespace aprotic::engine::broker {

namespace {

using codec::ErrorCondition;
using codec::Symbol;
namespace condition = codec::condition;

ErrorCondition failed(std::string_view symbol, std::string text) { return {Symbol(symbol), std::move(text), {}}; }

ErrorCondition gone(const Node& node) {
    return failed(condition::resource_deleted, fmt::format("the node '{}' has gone", node.identity().address));
}

/// The lifetime a peer asks for its dynamic node; delete-on-close when it asks for none. [3.5.9]
Lifetime lifetime_of(const codec::Map& properties) {
    const auto* policy = properties.find("lifetime-policy");
    const auto* described = policy != nullptr ? policy->get_if<codec::Described>() : nullptr;
    switch (described != nullptr ? described->code().value_or(0) : 0) {
        case codec::descriptor::delete_on_no_links: return Lifetime::links;
        case codec::descriptor::delete_on_no_messages: return Lifetime::link_then_messages;
        case codec::descriptor::delete_on_no_links_or_messages: return Lifetime::links_and_messages;
        default: return Lifetime::link;
    }
}

codec::Map node_properties(Lifetime lifetime) {
    std::uint64_t code = codec::descriptor::delete_on_close;
    if (lifetime == Lifetime::links) code = codec::descriptor::delete_on_no_links;
    if (lifetime == Lifetime::link_then_messages) code = codec::descriptor::delete_on_no_messages;
    if (lifetime == Lifetime::links_and_messages) code = codec::descriptor::delete_on_no_links_or_messages;
    codec::Map properties;
    properties.set(Symbol("lifetime-policy"), codec::Described(code, codec::List{}));
    return properties;
}

/// What the answering attach says of either terminus: nothing here is durable, nothing outlives its link, and no
/// capability is claimed. [3.5.5-a], [3.5.3-o]
template <class Terminus>
void grant_terminus(Terminus& terminus, const Node& node) {
    terminus.address = node.identity().address;
    terminus.durable = codec::TerminusDurability::none;
    terminus.expiry_policy = codec::TerminusExpiryPolicy::link_detach;
    terminus.timeout = 0;
    terminus.capabilities.clear();
    // [3.5.3-e] The properties stand only beside dynamic=true.
    terminus.dynamic_node_properties = terminus.dynamic ? node_properties(node.identity().lifetime) : codec::Map{};
}

codec::Result<std::shared_ptr<Node>, ErrorCondition> node_for(LinkContext& context, const Connection& connection,
                                                              const LinkRequest& request,
                                                              const codec::Map& properties) {
    if (!request.wants_dynamic()) return context.table.resolve(*request.address());
    const auto* open = connection.remote();
    return context.table.make_dynamic(open != nullptr ? open->container_id : std::string(), request.attach().name,
                                      lifetime_of(properties));
}

/// A link's place at its node, given up once: when the link closes, or with the link when that goes with its reactor.
template <class Member>
class Place {
public:
    explicit Place(std::shared_ptr<Node> node) : node_(std::move(node)) {}
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;
    ~Place() { leave(); }

    Node& operator*() const { return *node_; }
    Node* operator->() const { return node_.get(); }

    /// `created`: the node was made for this link. [3.5.10]
    void join(Member& member, bool created) {
        node_->add(member);
        member_ = &member;
        created_ = created;
    }
    void leave() {
        if (member_ == nullptr) return;
        node_->remove(*std::exchange(member_, nullptr));
        if (created_) node_->creator_gone();
    }

private:
    const std::shared_ptr<Node> node_;
    Member* member_ = nullptr;
    bool created_ = false;
};

/// The peer receives: a sender of ours, fed by a node.
class ConsumerLink final : public SenderHandler,
                           public NodeConsumer,
                           public std::enable_shared_from_this<ConsumerLink> {
public:
    ConsumerLink(std::shared_ptr<LinkContext> context, std::shared_ptr<Node> node, const codec::Attach& attach)
        : context_(std::move(context)), default_outcome_(attach.source->default_outcome), node_(std::move(node)) {
        id = ++context_->last_consumer;
        browses = !node_->is_topic() && attach.source->distribution_mode == codec::StdDistMode::copy;
        // A subscription ends with its link, so an outcome would change nothing unless the peer insists on giving one.
        settled_ = attach.snd_settle_mode == codec::SenderSettleMode::settled ||
                   (node_->is_topic() && attach.snd_settle_mode == codec::SenderSettleMode::mixed);
    }

    void start(LinkRequest& request) {
        SenderOptions options;
        // What waits here is the node's already, and bounded there.
        options.queue_bytes_max = std::numeric_limits<std::size_t>::max();
        options.link.snd_settle_mode = request.attach().snd_settle_mode;
        options.link.rcv_settle_mode = request.attach().rcv_settle_mode;
        codec::Source source = *request.attach().source;
        grant_terminus(source, *node_);
        source.filter.clear();  // none is understood [3.5.3-g]
        source.distribution_mode =
            browses || node_->is_topic() ? codec::StdDistMode::copy : codec::StdDistMode::move;  // [3.5.3-f]
        options.link.source = std::move(source);
        const bool created = request.wants_dynamic();
        sender_ = request.accept_sender(std::move(options), shared_from_this());
        node_.join(*this, created);
    }

    std::uint32_t room() const override { return stalled_ ? 0 : sender_.credit(); }

    void deliver(StoredPtr stored) override {
        auto tracker = sender_.send(outgoing(*stored, context_->reactor.now()), {.settled = settled_});
        tracker.on_done([self = shared_from_this(), kept = std::move(stored)](const Outcome& outcome) mutable {
            self->finish(std::move(kept), outcome);
        });
    }

    void show(const Stored& stored) override {
        sender_.send(outgoing(stored, context_->reactor.now()), {.settled = settled_});
    }

    void node_deleted() override { sender_.close(gone(*node_)); }

    void on_credit(Sender&) override {
        stalled_ = false;
        queue->resume(*this);
    }

    void on_close(Sender&, const std::optional<Failure>&) override {
        node_.leave();
        sender_ = {};
    }

private:
    void finish(StoredPtr stored, const Outcome& outcome) {
        switch (outcome.kind) {
            case Outcome::Kind::accepted:
            case Outcome::Kind::sent:
            case Outcome::Kind::rejected: return queue->retire(std::move(stored));  // [3.4.2-a], [3.4.3-a]
            case Outcome::Kind::released: break;                                    // [3.4.4-a]
            case Outcome::Kind::modified: modify(*stored, outcome.delivery_failed, outcome.undeliverable_here); break;
            case Outcome::Kind::not_sent:
                // A message that can never go out here is for others; anything else means that the link is ending.
                if (outcome.failure && outcome.failure->code == Errc::message_too_large)
                    stored->unwanted_by.push_back(id);
                else
                    stalled_ = true;
                break;
            case Outcome::Kind::in_doubt:
                stalled_ = true;
                if (retires_in_doubt(*stored)) return queue->retire(std::move(stored));
                break;
        }
        queue->put_back(std::move(stored));
    }

    void modify(Stored& stored, bool failed_here, bool undeliverable_here) {
        if (failed_here) ++stored.failures;                        // [3.4.5-a]
        if (undeliverable_here) stored.unwanted_by.push_back(id);  // [3.4.5-c]
    }

    /// The peer went without an outcome: its default counts, and without one the message is released. [3.5.3-j]
    bool retires_in_doubt(Stored& stored) {
        if (!default_outcome_) return false;
        if (const auto* modified = std::get_if<codec::Modified>(&*default_outcome_))
            modify(stored, modified->delivery_failed.value_or(false), modified->undeliverable_here.value_or(false));
        return std::holds_alternative<codec::Accepted>(*default_outcome_) ||
               std::holds_alternative<codec::Rejected>(*default_outcome_);
    }

    const std::shared_ptr<LinkContext> context_;
    const std::optional<codec::Outcome> default_outcome_;
    bool settled_ = false;
    bool stalled_ = false;  // the last message came back unsent: nothing more until new credit
    Sender sender_;
    Place<NodeConsumer> node_;  // last: the node may ask the rest while the link leaves it
};

/// The peer sends: a receiver of ours. What both kinds have in common is reading a delivery and answering it.
class IncomingLink : public ReceiverHandler {
protected:
    explicit IncomingLink(std::shared_ptr<LinkContext> context) : context_(std::move(context)) {}

    void accept_with(LinkRequest& request, codec::Target target, const std::shared_ptr<IncomingLink>& self) {
        ReceiverOptions options;
        options.credit = 0;  // granted by the node's state, not by ours
        options.link.snd_settle_mode = request.attach().snd_settle_mode;
        options.link.target = std::move(target);
        receiver_ = request.accept_receiver(std::move(options), self);
    }

    /// The message as it is kept, or null: then the delivery has been answered.
    StoredPtr read(Delivery& delivery) const {
        auto stored = std::make_unique<Stored>();
        stored->message = codec::EncodedMessage(delivery.payload(), delivery.message_format());
        stored->arrived = context_->reactor.now();
        // [3.2.16-b] Other formats pass as they are, and so does the content of this one.
        if (delivery.message_format() != codec::protocol::message_format) return stored;
        const auto& view = delivery.message();
        if (!view.ok()) {
            delivery.reject(
                failed(codec::condition_of(view.error()),
                       fmt::format("octet {} of the message: {}", view.error_offset(), view.error().message())));
            return nullptr;
        }
        if (!view.has_header()) return stored;
        const codec::Header header = view.header();
        if (header.durable && !context_->options.accept_durable) {
            delivery.reject(failed(condition::precondition_failed,
                                   "durable messages are not kept beyond the broker's life and accept_durable is off"));
            return nullptr;
        }
        // Zero is what many clients send for "no limit". absolute-expiry-time is not looked at: it names the sender's
        // clock, and oslo.messaging fills it with a monotonic one.
        if (header.ttl && *header.ttl != 0) stored->expires = stored->arrived + std::chrono::milliseconds(*header.ttl);
        return stored;
    }

    const std::shared_ptr<LinkContext> context_;
    Receiver receiver_;
};

/// To one node.
class ProducerLink final : public IncomingLink, public Producer {
public:
    ProducerLink(std::shared_ptr<LinkContext> context, std::shared_ptr<Node> node)
        : IncomingLink(std::move(context)), node_(std::move(node)) {}

    void start(LinkRequest& request, codec::Target target, const std::shared_ptr<ProducerLink>& self) {
        const bool created = target.dynamic;
        grant_terminus(target, *node_);
        accept_with(request, std::move(target), self);
        node_.join(*this, created);
    }

    void grant(std::uint32_t more) override { receiver_.add_credit(more); }
    void node_deleted() override { receiver_.close(gone(*node_)); }

    void on_message(Receiver&, Delivery& delivery) override {
        auto stored = read(delivery);
        if (stored == nullptr) return node_->use_credit(*this);
        if (node_->take(*this, std::move(stored)) == Node::Verdict::stored)
            delivery.accept();
        else
            delivery.release();
    }

    void on_close(Receiver&, const std::optional<Failure>&) override {
        node_.leave();
        receiver_ = {};
    }

private:
    Place<Producer> node_;
};

/// To the anonymous terminus: each message says where it goes.
class RelayLink final : public IncomingLink {
public:
    explicit RelayLink(std::shared_ptr<LinkContext> context) : IncomingLink(std::move(context)) {}

    void start(LinkRequest& request, codec::Target target, const std::shared_ptr<RelayLink>& self) {
        accept_with(request, std::move(target), self);
        receiver_.add_credit(context_->options.sender_credit);
    }

    void on_message(Receiver&, Delivery& delivery) override {
        if (++used_ >= (context_->options.sender_credit + 1) / 2) receiver_.add_credit(std::exchange(used_, 0));
        const auto to = delivery.message().to();
        if (!to) {
            delivery.reject(failed(condition::precondition_failed,
                                   "a message to the anonymous terminus must name its node in the property 'to'"));
            return;
        }
        auto node = context_->table.resolve(*to);
        if (!node) return delivery.reject(node.error());
        auto stored = read(delivery);
        if (stored != nullptr) {
            if ((*node)->take(std::move(stored)) == Node::Verdict::stored)
                delivery.accept();
            else
                delivery.release();
        }
        (*node)->review();
    }

    void on_close(Receiver&, const std::optional<Failure>&) override { receiver_ = {}; }

private:
    std::uint32_t used_ = 0;
};

}  // namespace

void serve_consumer(const std::shared_ptr<LinkContext>& context, const Connection& connection, LinkRequest request) {
    const auto& source = request.attach().source;
    if (!source || (!request.wants_dynamic() && !request.address()))
        return request.refuse(failed(condition::invalid_field, "the source names no address and is not dynamic"));
    auto node = node_for(*context, connection, request, source->dynamic_node_properties);
    if (!node) return request.refuse(node.error());
    std::make_shared<ConsumerLink>(context, std::move(*node), request.attach())->start(request);
}

void serve_producer(const std::shared_ptr<LinkContext>& context, const Connection& connection, LinkRequest request) {
    const auto& wanted = request.attach().target;
    if (wanted && std::holds_alternative<codec::Coordinator>(*wanted))
        return request.refuse(failed(condition::not_implemented, "this broker has no transactions"));
    if (!wanted) return request.refuse(failed(condition::invalid_field, "the attach has no target"));
    codec::Target target = std::get<codec::Target>(*wanted);
    if (!target.address && !target.dynamic) {
        auto link = std::make_shared<RelayLink>(context);
        return link->start(request, std::move(target), link);
    }
    auto node = node_for(*context, connection, request, target.dynamic_node_properties);
    if (!node) return request.refuse(node.error());
    auto link = std::make_shared<ProducerLink>(context, std::move(*node));
    link->start(request, std::move(target), link);
}

}  // namespace aprotic::engine::broker
