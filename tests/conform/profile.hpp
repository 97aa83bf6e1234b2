#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace aprotic::conform {

/// What a peer can do, and what the suite must know to speak with it.
struct Capability {
    std::string_view name;
    std::string_view meaning;
    bool usual;  ///< taken as claimed when no profile says otherwise
};
const std::vector<Capability>& known_capabilities();

/// A peer as its owner describes it.
struct Profile {
    std::string name = "peer";
    std::string host = "127.0.0.1";
    std::string port = "5672";
    std::string hostname{};  ///< of our open; empty: none
    /// "none", "anonymous" or "plain"; "auto": without where the peer allows it, else ANONYMOUS
    std::string sasl = "auto";
    std::string user{};
    std::string password{};
    std::set<std::string, std::less<>> capabilities;  ///< the usual ones unless a file says otherwise
    /// Addresses of nodes, '%' standing for a name that no other case uses.
    std::string queue = "conform/%";
    std::string missing = "conform-missing/%";                ///< of a node that does not exist
    std::map<std::string, std::string, std::less<>> known{};  ///< case → why its failure is expected

    Profile();
    bool has(std::string_view capability) const { return capabilities.contains(capability); }
    /// Reads a profile's JSON text over what is there; what is wrong with it, or empty.
    std::string read(const std::string& json);
    /// Takes host, port, user and password from "amqp://user:password@host:port"; what is wrong with it, or empty.
    std::string read_url(std::string_view url);
};

}  // namespace aprotic::conform
