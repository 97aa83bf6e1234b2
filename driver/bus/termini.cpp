#include <aprotic/driver/bus/termini.hpp>

#include <utility>

#include <fmt/core.h>

namespace aprotic::driver::bus {
namespace {

const std::vector<codec::Symbol>& capabilities(NodeKind kind, const Profile& profile) {
    static const std::vector<codec::Symbol> none;
    switch (kind) {
        case NodeKind::queue: return profile.queue_capabilities;
        case NodeKind::topic: return profile.topic_capabilities;
        case NodeKind::given: break;
    }
    return none;
}

}  // namespace

engine::LinkOptions sending_link(const NodeRef& node, const Profile& profile, const TransportOptions& options,
                                 const std::string& random_id) {
    engine::LinkOptions link;
    link.name = fmt::format("openstack.org/om/sender/[{}]/{}", node.address, random_id);
    link.source.emplace().address = node.address;
    codec::Target target;
    target.address = node.address;
    target.capabilities = capabilities(node.kind, profile);
    if (profile.durable_targets && options.amqp_durable_queues && node.kind == NodeKind::queue)
        target.durable = codec::TerminusDurability::unsettled_state;
    link.target = std::move(target);
    return link;
}

engine::LinkOptions receiving_link(const NodeRef& node, const Profile& profile, const TransportOptions& options,
                                   const std::string& random_id) {
    engine::LinkOptions link;
    link.name = fmt::format("openstack.org/om/receiver/[{}]/{}", node.address, random_id);
    codec::Target target;
    codec::Source source;
    source.address = target.address = node.address;
    source.capabilities = capabilities(node.kind, profile);
    if (options.amqp_durable_queues &&
        (node.kind == NodeKind::queue ? profile.durable_queues : profile.durable_topics)) {
        source.durable = target.durable = codec::TerminusDurability::unsettled_state;
        source.expiry_policy = target.expiry_policy = codec::TerminusExpiryPolicy::never;
    }
    if (options.amqp_auto_delete)
        source.expiry_policy = target.expiry_policy = codec::TerminusExpiryPolicy::link_detach;
    link.source = std::move(source);
    link.target = std::move(target);
    return link;
}

engine::LinkOptions reply_link(const NodeRef& node, const Profile& profile, const std::string& random_id) {
    engine::LinkOptions link;
    link.name = fmt::format("openstack.org/om/receiver/[rpc-response]/{}", random_id);
    codec::Source& source = link.source.emplace();
    source.capabilities = profile.reply_capabilities;
    if (node.address.empty())
        source.dynamic = true;
    else
        source.address = node.address;
    if (profile.reply_node == ReplyNode::direct) {
        source.expiry_policy = codec::TerminusExpiryPolicy::link_detach;
        link.snd_settle_mode = codec::SenderSettleMode::settled;
    }
    std::get<codec::Target>(link.target.emplace(codec::Target())).address = "rpc-response";
    return link;
}

}  // namespace aprotic::driver::bus
