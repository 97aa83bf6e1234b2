#pragma once

#include <string>

#include <aprotic/driver/bus/node_ref.hpp>
#include <aprotic/driver/profile.hpp>
#include <aprotic/engine/options.hpp>

namespace aprotic::driver::bus {

/// Name and termini of the link by which we send to a node. Peers that nobody knows better see what oslo.messaging's
/// driver sends. [oslo wire 2]
engine::LinkOptions sending_link(const NodeRef& node, const Profile& profile, const TransportOptions& options,
                                 const std::string& random_id);
/// The same of the link by which a server or listener takes from one.
engine::LinkOptions receiving_link(const NodeRef& node, const Profile& profile, const TransportOptions& options,
                                   const std::string& random_id);
/// The same of the link that all replies come by. Its address is `node`'s, if that has one.
engine::LinkOptions reply_link(const NodeRef& node, const Profile& profile, const std::string& random_id);

}  // namespace aprotic::driver::bus
