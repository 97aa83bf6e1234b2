#pragma once

#include <memory>
#include <optional>
#include <string>

#include <aprotic/driver/bus/node_ref.hpp>
#include <aprotic/engine/failure.hpp>
#include <aprotic/engine/function.hpp>

namespace aprotic::driver::bus {

class Peer;

/// What has to be done at a peer before links to a node can be attached, on one connection. Reactor's thread only.
class Groundwork {
public:
    /// nullopt: attach. A failure with engine::Errc::refused comes again if it is tried again.
    using Done = engine::Function<void(std::optional<engine::Failure>)>;

    /// Null where nothing has to be done: NodeSetup::none.
    static std::shared_ptr<Groundwork> make(Peer& peer);

    virtual ~Groundwork() = default;
    /// Prepares a node that is sent to, or taken from. `done` is called once, perhaps before this returns; never after
    /// close().
    virtual void lay(const NodeRef& node, Done done) = 0;
    /// The node is not what it was made to be any more.
    virtual void forget(const std::string& address) = 0;
    virtual void close() = 0;
};

}  // namespace aprotic::driver::bus
