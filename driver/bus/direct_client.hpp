#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <aprotic/driver/bus/peer.hpp>

namespace aprotic::driver::bus {

/// Shares letters among servers that are reached without anybody between: each host of the URL is one, and is connected
/// to when the first letter comes. A letter goes to the server with the least to do of those that are there, serve its
/// address and have credit for it; until then it waits here, and nobody has it. Reactor's thread only.
class DirectClient {
public:
    DirectClient(Bus& bus, const std::vector<std::shared_ptr<Peer>>& peers);

    /// A letter that has no server, or not any more.
    void route(const LetterPtr& letter);
    /// The letter has ended.
    void forget(const Letter& letter);
    /// What the deadline of a letter without a server finds.
    CallFailure expired(const Letter& letter, Duration elapsed) const;

    void on_up(const Peer& peer);
    void on_connect_failed();
    /// Something may be sent to this address that could not before.
    void on_ready(const std::string& address);
    void on_refused(const Peer& peer, const std::string& address, const engine::Failure& why);
    /// No link to it has been of use for a while.
    void on_unused(const std::string& address);
    /// A link for replies has opened.
    void on_ready_for_replies();

private:
    struct Refusal {
        engine::Failure why;
        engine::Instant when;
    };
    /// What waits for a server of one address, oldest first, and who does not serve it.
    struct Spread {
        std::map<std::uint64_t, LetterPtr> calls;
        std::map<std::uint64_t, LetterPtr> others;
        std::map<const Peer*, Refusal> refusals;

        bool is_empty() const noexcept { return calls.empty() && others.empty(); }
    };

    void pump(const std::string& address, Spread& spread);
    void pump(Spread& spread, const std::string& address, std::map<std::uint64_t, LetterPtr>& letters, bool calls);
    void give(const LetterPtr& letter, Peer& peer);
    Peer* pick(const Spread& spread, const std::string& address, bool call);
    /// Ends what waits for a server that cannot be any more.
    void give_up(const std::string& address, Spread& spread);
    void fan_out(const LetterPtr& letter);
    CallFailure nobody(const Letter& letter, const Spread* spread) const;
    bool has_hope() const;
    void fail(const std::vector<LetterPtr>& letters, const Spread* spread);

    Bus& bus_;  ///< whose part this is
    const std::vector<std::shared_ptr<Peer>>& peers_;
    std::map<std::string, Spread, std::less<>> spreads_;
    std::map<std::uint64_t, LetterPtr> connects_;
    std::uint64_t picked_ = 0;
};

}  // namespace aprotic::driver::bus
