#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <aprotic/codec/message.hpp>

#include "conform/context.hpp"

/// What cases about links and deliveries do again and again.
namespace aprotic::conform {

/// A delivery of the peer's, its frames put together.
struct Arrived {
    codec::Transfer first{};
    std::string octets{};
    unsigned frames = 0;
    bool settled = false;
    bool aborted = false;

    std::uint32_t id() const { return first.delivery_id.value_or(0); }
    std::string tag() const { return first.delivery_tag ? std::string(first.delivery_tag->text()) : std::string(); }
};

/// A receiver of ours, on handle 0 of channel 0, which keeps the flow state of link and session.
class Receiver {
public:
    /// On a connection of its own. What fails in this is none of the case's question.
    Receiver(Context& t, const peer::AttachFrame& ours);
    Receiver(Context& t, const std::string& address) : Receiver(t, t.receiver(address)) {}
    /// On a line that has no session yet; `ours` has handle 0.
    Receiver(Line& on, const peer::AttachFrame& ours);

    /// Of a link that is attached: on channel 0, with our handle 0.
    Receiver(Line& on, codec::Begin theirs, codec::Attach of_link);

    /// A flow for the link with what has come so far.
    peer::FlowFrame flow(std::uint32_t credit) const;
    void grant(std::uint32_t credit) { line.send(flow(credit)); }
    /// The next delivery, whole; fails the case when none comes.
    Arrived take(std::string_view why);
    /// What comes until nothing comes for a while.
    std::vector<Arrived> take_all();
    /// With an outcome that the peer's source has; the case is skipped when it has not.
    void settle(const Arrived& delivery, codec::DeliveryState state);
    /// Grants this much and requires that just this many deliveries come.
    void expect_deliveries(std::size_t wanted, const std::string& why);
    /// The next flow for this link.
    codec::Flow expect_flow(std::string_view why);

    Line& line;
    codec::Begin begin;
    codec::Attach attach;
    std::uint32_t next_incoming_id = 0;
    std::uint32_t delivery_count = 0;  ///< as the flows of ours say it

private:
    std::optional<Arrived> next(Duration patience, std::string_view why);
};

/// Of a credit so large that serial numbers do not order where it begins and ends: all 5 messages come, or (not strict)
/// none.
void expect_all_or_none(Context& t, Receiver& receiver);

/// The message that a delivery brought; fails the case when it is none.
codec::Message message_in(Receiver& receiver, const Arrived& delivery);
/// Its body where that is one string.
std::string text_in(Receiver& receiver, const Arrived& delivery);

/// How many transfer frames come until nothing comes for a while; deliveries are not settled.
unsigned transfers_until_quiet(Line& line);
/// Requires that it is just so many.
void expect_transfers(Line& line, unsigned wanted, const std::string& why);

/// A receiver on a queue with `messages` in it, with credit for all, on a session with this incoming window.
struct Windowed {
    Line& line;
    codec::Begin begin;
};
Windowed receiving_through(Context& t, std::uint32_t window, unsigned messages);

/// Sends this many small messages, settled, on the link that attach_sender made, as its credit and the session's window
/// allow; `window` is the peer's when nothing was sent yet.
void send_settled(Line& line, std::uint32_t window, std::uint32_t count);

/// What the peer says of delivery `id` of ours in the end: an outcome, or that it is settled.
codec::Disposition outcome_of(Line& line, std::uint32_t id);
bool is_accepted(const std::optional<codec::DeliveryState>& state);
/// Sends these frames' delivery `id` and requires that it is accepted.
void expect_accepted(Line& line, std::uint32_t id, const std::string& why);
/// How a delivery of ours is answered. Nobody is asked for a sign of life, since outcomes may take their time.
Heard answer_to_delivery(Line& line, const Reactions& reactions);

/// What was sent settled needs no answer; one would be meaningless, which is not to say forbidden, and so is not
/// strict. Waits until nothing comes for a while. [2.6.12]
void expect_unanswered(Context& t, Line& line);
/// The same of delivery 0, with delivery 1 behind it, which was not settled and has to be answered.
void expect_second_answered(Context& t, Line& line);

/// A disposition with this state, settled or not.
Reaction accepts_delivery();
Reaction rejects_delivery(Conditions conditions = {});
Reaction releases_delivery();
/// Attach without our terminus, behind which a detach with an error has to come.
Reactions refuses_link(Conditions conditions);

std::string text_of(const codec::Performative& performative);

/// A transfer whose payload is just this.
peer::TransferFrame delivery_of(Line& line, std::string_view octets);
/// Sends a message of these octets to the case's queue, which accepts it.
void put(Context& t, const std::string& octets);
/// What becomes of these octets on their way through the case's queue.
std::string through(Context& t, const std::string& octets);

/// A sender's attach for a target that is not just an address, or a receiver's for such a source.
peer::AttachFrame sender_to(codec::AttachTarget target, std::uint32_t handle = 0, std::string name = "sender");
peer::AttachFrame receiver_from(codec::Source source, std::uint32_t handle = 0, std::string name = "receiver");

}  // namespace aprotic::conform
