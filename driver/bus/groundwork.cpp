#include <aprotic/driver/bus/groundwork.hpp>

#include <aprotic/driver/bus/management.hpp>
#include <aprotic/driver/bus/peer.hpp>
#include <aprotic/driver/bus/token_desk.hpp>

namespace aprotic::driver::bus {

std::shared_ptr<Groundwork> Groundwork::make(Peer& peer) {
    switch (peer.profile().setup) {
        case NodeSetup::none: return nullptr;
        case NodeSetup::management: return std::make_shared<Management>(peer);
        case NodeSetup::tokens: return std::make_shared<TokenDesk>(peer);
    }
    return nullptr;
}

}  // namespace aprotic::driver::bus
