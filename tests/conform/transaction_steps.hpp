#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "conform/steps.hpp"

/// What cases about transactions do again and again.
namespace aprotic::conform {

/// The bodies of declare and discharge messages.
std::string declare_body(const codec::Value& global_id = {});
std::string discharge_body(const codec::Value& txn_id, bool fail);

/// A control link of ours on a session that the line has on channel 0.
class Controller {
public:
    /// Skips the case where the peer has no coordinator.
    Controller(Context& t, Line& on);

    bool offers(std::string_view capability) const;
    peer::TransferFrame message(const std::string& octets);
    /// Sends this and takes its outcome.
    codec::Disposition ask(const std::string& octets);
    codec::Binary declare();
    void discharge(const codec::Binary& txn, bool fail);
    static peer::DispositionFrame settled(std::uint32_t id);

    static constexpr std::uint32_t own_handle = 9;
    Line& line;
    std::vector<codec::Symbol> capabilities;
    std::uint32_t handle = 0;  ///< the peer's
};

/// What a coordinator or a link may answer to what names no transaction, or one that is over.
Reactions refuses_transaction(Conditions conditions);

}  // namespace aprotic::conform
