#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace aprotic::driver {

/// Whom a message is for, or what a server serves. Plain data for designated initialisers:
/// `Target{.topic = "math", .server = "one"}`.
struct Target {
    std::string exchange = {};                   ///< scope of the topic; empty: TransportOptions::control_exchange
    std::string topic = {};                      ///< what is asked for; needed by everybody
    std::optional<std::string> namespace_ = {};  ///< which of a server's interfaces; none is one of its own
    std::optional<std::string> version = {};     ///< "major.minor" of the interface; none counts as "1.0"
    std::string server = {};  ///< one server's name; empty: any server of the topic. Needed by servers.
    bool fanout = false;      ///< every server of the topic

    bool operator==(const Target&) const = default;
};

/// Whether an implementation of version `implemented` can serve a request for `requested`, both
/// "major.minor[.revision]": same major, not a higher minor, and with equal minors not a higher revision. False when
/// one is not a version at all.
bool version_is_compatible(std::string_view implemented, std::string_view requested);

}  // namespace aprotic::driver
