#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include <aprotic/driver/bus/groundwork.hpp>
#include <aprotic/driver/bus/request_pair.hpp>
#include <aprotic/engine/reactor.hpp>

namespace aprotic::driver::bus {

/// Puts an access token to the peer's node $cbs for each entity that links go to, as Azure wants it, and a new one
/// before it expires. Reactor's thread only.
class TokenDesk final : public Groundwork, public std::enable_shared_from_this<TokenDesk> {
public:
    explicit TokenDesk(Peer& peer);

    void lay(const NodeRef& node, Done done) override;
    void forget(const std::string& address) override;
    void close() override;

private:
    struct Entity {
        bool open = false;  ///< a token was taken and has not expired
        std::vector<Done> waiting;
        engine::Reactor::TimerId timer = 0;
    };

    void put(const std::string& entity);
    void end(const std::string& entity, const std::optional<engine::Failure>& why);

    const std::weak_ptr<Peer> peer_;
    const std::shared_ptr<RequestPair> pair_;
    std::map<std::string, Entity, std::less<>> entities_;
    bool closed_ = false;
};

}  // namespace aprotic::driver::bus
