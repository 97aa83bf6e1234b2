#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <aprotic/codec/frame.hpp>
#include <aprotic/codec/performatives.hpp>

#include "sim/fault_network.hpp"

namespace aprotic::sim {

/// What a run leaves behind: the same seed must leave the same.
struct Journal {
    std::uint64_t hash = 0xcbf2'9ce4'8422'2325;  ///< FNV-1a over everything noted
    std::uint64_t frames = 0;
    std::uint64_t transfers = 0;
    std::vector<std::string> violations;
    std::function<void(std::string)> show;  ///< one line for each frame; empty: nobody wants to see

    void note(std::string_view text) noexcept;
    void note(std::span<const std::byte> octets) noexcept;
    void violated(std::string what);
};

/// Judges both ends of one connection from the frames between them, with nothing of the engine but the codec: each
/// frame against what its writer has said before and what it has been given to read by then.
class WireObserver final : public WireTap {
public:
    WireObserver(Journal& journal, const SimReactor& reactor, std::size_t number);
    ~WireObserver() override;

    void written(std::size_t side, std::span<const std::byte> octets) override;
    void read(std::size_t side, std::size_t octets) override;

    /// Nothing is under way: both sides must have the same view of the windows, and none may be shut.
    void check_rest();
    /// What is left of the credit of the link on which `sender` sends, by what was written; nullopt when there is no
    /// such link or none was ever granted.
    std::optional<std::uint32_t> credit(const std::string& name, std::size_t sender) const;
    /// What was written and not read, for a report.
    std::string under_way() const;
    bool closing() const { return sides_[0].closed || sides_[1].closed; }

private:
    struct LinkHalf {
        bool attached = false;
        bool detached = false;
        bool heard_attach = false;  // of the other half
        std::uint32_t handle = 0;
        std::uint64_t message_size_max = 0;  // of the other half, once heard
    };
    struct Link {
        std::string name;
        std::array<LinkHalf, 2> halves;
        std::size_t sender = 0;        // which side
        std::uint32_t count = 0;       // delivery-count, as the sender has written it
        std::uint32_t limit = 0;       // the highest count that was granted, as the sender has heard
        bool limited = false;          // some credit has been heard of
        bool drains = false;           // the sender has heard of a drain
        std::uint32_t told_limit = 0;  // of the receiver's latest flow
        std::uint32_t told_count = 0;
        bool told = false;
        std::optional<std::uint32_t> partial;  // delivery-id under way, as written
        std::uint64_t partial_octets = 0;
        bool partial_settled = false;
        std::set<std::string> tags;  // unsettled
    };
    struct Delivery {
        std::weak_ptr<Link> link;
        std::string tag;
        std::array<bool, 2> settled{};  // by whom, as written
    };
    struct SessionHalf {
        bool begun = false;
        bool ended = false;
        bool heard_begin = false;
        std::uint32_t handle_max = 0;  // of the other half, once heard
        std::uint32_t incoming_window_max = 0;
        std::uint32_t initial_id = 0;
        std::uint32_t next_outgoing_id = 0;  // as written
        std::uint32_t next_incoming_id = 0;  // as read
        std::uint32_t told_incoming_id = 0;  // of the latest flow
        bool told = false;
        std::uint32_t limit = 0;        // transfers with a lower id may be written: the highest heard
        std::uint32_t heard_limit = 0;  // the latest heard
        std::uint32_t told_limit = 0;   // the latest that the other side has written
        bool limit_told = false;
        std::uint32_t next_delivery_id = 0;  // as written
        bool any_delivery = false;
        std::map<std::uint32_t, Delivery> deliveries;          // written by this half and not settled by both
        std::uint32_t heard_deliveries = 0;                    // delivery-ids of the other half below this were read
        std::map<std::uint32_t, std::shared_ptr<Link>> links;  // by handle
    };
    struct Session {
        std::array<SessionHalf, 2> halves;
        std::vector<std::shared_ptr<Link>> links;
    };
    using Body = std::variant<std::monostate, codec::Open, codec::Begin, codec::Attach, codec::Flow, codec::Transfer,
                              codec::Disposition, codec::Detach, codec::End, codec::Close>;
    /// A frame on its way.
    struct Flying {
        std::uint64_t end = 0;  // position of its last octet
        Body body;
        std::shared_ptr<Session> session;
        std::shared_ptr<Link> link;
        bool first_transfer = false;
    };
    struct Side {
        std::vector<std::byte> unparsed;
        std::uint64_t position = 0;  // octets written
        std::uint64_t read = 0;      // octets of the other side's that were read
        bool opened = false;
        bool closed = false;
        bool heard_open = false;
        std::uint32_t frame_size_max = 512;  // of the other side, once heard
        std::uint16_t channel_max = UINT16_MAX;
        std::map<std::uint16_t, std::shared_ptr<Session>> sessions;                // by the channel it writes on
        std::map<std::uint16_t, std::deque<std::shared_ptr<Session>>> unanswered;  // begun by it
        std::deque<Flying> flying;                                                 // written, not read
    };

    void violated(std::size_t side, const std::string& what);
    void check(std::size_t side, bool holds, std::string_view rule);
    void frame(std::size_t side, const codec::FrameView& frame);
    void write(std::size_t side, std::uint16_t channel, const codec::Open& open, Flying& flying);
    void write(std::size_t side, std::uint16_t channel, const codec::Begin& begin, Flying& flying);
    void write_in_session(std::size_t side, Flying& flying, std::size_t payload);
    void write(std::size_t side, Session& session, const codec::Attach& attach, Flying& flying);
    void write(std::size_t side, Session& session, const codec::Flow& flow, Flying& flying);
    void write(std::size_t side, Session& session, const codec::Transfer& transfer, Flying& flying,
               std::size_t payload);
    void write(std::size_t side, Session& session, const codec::Disposition& disposition);
    void write(std::size_t side, Session& session, const codec::Detach& detach, Flying& flying);
    void settle(std::size_t side, SessionHalf& owner, std::map<std::uint32_t, Delivery>::iterator delivery);
    void check_error(std::size_t side, const std::optional<codec::ErrorCondition>& error);
    void hear(std::size_t side, Flying& flying);
    void hear_flow(std::size_t side, Session& session, const codec::Flow& flow, Link* link);

    Journal& journal_;
    const SimReactor& reactor_;
    std::size_t number_;
    std::array<Side, 2> sides_;
};

}  // namespace aprotic::sim
