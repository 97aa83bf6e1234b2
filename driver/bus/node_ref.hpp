#pragma once

#include <string>

namespace aprotic::driver::bus {

/// What a node is to a link of ours.
enum class NodeKind {
    queue,  ///< shared by who takes from it
    topic,  ///< each who takes from it gets all
    given,  ///< somebody else named it, or nothing is known of it: it is there, or it is not
};

/// A node as a link names it.
struct NodeRef {
    std::string address;
    NodeKind kind = NodeKind::queue;
    std::string published_at = {};  ///< of a topic one takes from: where messages for it are sent
    bool ours_alone = false;        ///< it is to go with our connection

    bool operator==(const NodeRef&) const = default;
};

}  // namespace aprotic::driver::bus
