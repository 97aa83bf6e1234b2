#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "conform/client.hpp"
#include "conform/line.hpp"
#include "conform/profile.hpp"
#include "conform/verdict.hpp"

namespace aprotic::conform {

/// How the suite reaches the peer: a new connection, or null and the reason.
using Connector = std::function<std::unique_ptr<peer::Channel>(Duration patience, std::string& why)>;

/// What a case works with. One per run of a case; the lines it opens live as long as it does.
class Context {
public:
    /// `unique` tells this run of this case apart from all others; it goes into names of nodes. Without `clients`,
    /// which must outlive this, no case of a client can be run.
    Context(Connector connect, const Profile& profile, Timing timing, std::string unique, Clients* clients = nullptr);

    // --- connections, each a step more -----------------------------------------------------------------------------

    /// A connection on which nothing has been said.
    Line& connect();
    /// Past the SASL layer, if the profile wants one; the AMQP header is next.
    Line& authenticated();
    /// Header and open exchanged.
    Line& opened(const peer::OpenFrame& ours);
    Line& opened() { return opened(open()); }
    /// With a session on channel 0.
    Line& mapped(const peer::BeginFrame& ours = peer::begin());
    /// With a session and our sender on handle 0, which has credit.
    Line& sending(const std::string& address);
    /// With a session and our receiver on handle 0, without credit.
    Line& receiving(const std::string& address);

    // --- clients under test ------------------------------------------------------------------------------------------

    /// Starts one and takes its connection, on which nothing has been said.
    Line& called(const Task& task);
    /// A further connection of it; null when none comes within `patience`.
    Line* called_again(Duration patience);
    /// Whether there is a client that takes this part.
    bool has_client(codec::Role role) const { return clients_ != nullptr && clients_->has(role); }
    /// Waits that long for the client to leave by itself; its exit code if it did.
    std::optional<int> left(Duration patience);

    // --- what lines are told -----------------------------------------------------------------------------------------

    /// An open as the profile wants it.
    peer::OpenFrame open() const;
    peer::AttachFrame sender(const std::string& address, std::uint32_t handle = 0, std::string name = "sender") const;
    peer::AttachFrame receiver(const std::string& address, std::uint32_t handle = 0,
                               std::string name = "receiver") const;
    /// A message with `body`, encoded.
    static codec::Bytes message(std::string_view body);
    /// A whole message as a transfer frame, unsettled, with tag and delivery-id counted up by the line.
    static peer::TransferFrame delivery(Line& line, std::string_view body = "conform");
    /// Puts `count` messages "message 0", "message 1", … into a queue by a connection of its own.
    void fill(const std::string& address, unsigned count);

    // --- addresses -------------------------------------------------------------------------------------------------

    /// A queue of this case's own; the same for the same `which`.
    std::string queue(std::string_view which = "q") const;
    /// A node that does not exist.
    std::string missing() const;

    // --- findings --------------------------------------------------------------------------------------------------

    /// The peer says that it does not have what the case is about.
    [[noreturn]] void skip(const std::string& reason) const;
    [[noreturn]] void fail(const std::string& expected, const std::string& actual) const;
    void require(bool holds, const std::string& expected, const std::string& actual) const;
    /// Goes into the report.
    void note(std::string text) { outcome.notes.push_back(std::move(text)); }
    /// Which of several good ways the peer took.
    void took(std::string way, Grade grade = Grade::strict) { outcome.took(std::move(way), grade); }

    const Profile& profile() const { return profile_; }
    const Timing& timing() const { return timing_; }
    std::deque<Line>& lines() { return lines_; }

    Outcome outcome;
    std::vector<LogEntry> log;

private:
    Connector connect_;
    const Profile& profile_;
    Timing timing_;
    std::string unique_;
    std::deque<Line> lines_;
    Clients* clients_;
};

}  // namespace aprotic::conform
