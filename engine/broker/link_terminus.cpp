#include <aprotic/engine/broker/link_terminus.hpp>

#include <fmt/format.h>

namespace aprotic::engine::broker {

using codec::ErrorCondition;
using codec::Symbol;

namespace {

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

template <class Terminus>
void grant(Terminus& terminus, const Node& node) {
    terminus.address = node.identity().address;
    terminus.durable = codec::TerminusDurability::none;
    terminus.expiry_policy = codec::TerminusExpiryPolicy::link_detach;
    terminus.timeout = 0;
    terminus.capabilities = node.identity().capabilities;
    // [3.5.3-e] The properties stand only beside dynamic=true.
    terminus.dynamic_node_properties = terminus.dynamic ? node_properties(node.identity().lifetime) : codec::Map{};
}

}  // namespace

ErrorCondition gone(const Node& node) {
    return failed(codec::condition::resource_deleted, fmt::format("the node '{}' has gone", node.identity().address));
}

void grant_terminus(codec::Source& terminus, const Node& node) { grant(terminus, node); }
void grant_terminus(codec::Target& terminus, const Node& node) { grant(terminus, node); }

void refuse(LinkContext& context, LinkRequest& request, ErrorCondition why) {
    ++context.totals.links_refused;
    request.refuse(std::move(why));
}

codec::Result<std::shared_ptr<Node>, ErrorCondition> node_for(LinkContext& context, const Connection& connection,
                                                              const LinkRequest& request,
                                                              const codec::Map& properties) {
    if (!request.wants_dynamic()) return context.table.resolve(*request.address());
    if (context.rabbit) return context.rabbit->make_dynamic(request.attach());
    const auto* open = connection.remote();
    return context.table.make_dynamic(open != nullptr ? open->container_id : std::string(), request.attach().name,
                                      lifetime_of(properties));
}

}  // namespace aprotic::engine::broker
