#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include <aprotic/engine/broker/address_table.hpp>
#include <aprotic/engine/broker/broker_link.hpp>

namespace aprotic::engine::broker {

// What the links of both directions have in common: finding their node, and saying what it is.

/// What a link of a node that has gone is told.
codec::ErrorCondition gone(const Node& node);

/// What the answering attach says of either terminus: nothing here is durable, nothing outlives its link, and no
/// capability is claimed. [3.5.5-a], [3.5.3-o]
void grant_terminus(codec::Source& terminus, const Node& node);
void grant_terminus(codec::Target& terminus, const Node& node);

/// Answers a peer's wish with no.
void refuse(LinkContext& context, LinkRequest& request, codec::ErrorCondition why);

/// The node that a request names, or one made for it.
codec::Result<std::shared_ptr<Node>, codec::ErrorCondition> node_for(LinkContext& context, const Connection& connection,
                                                                     const LinkRequest& request,
                                                                     const codec::Map& properties);

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

}  // namespace aprotic::engine::broker
