#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <aprotic/codec/bytes.hpp>
#include <aprotic/codec/performatives.hpp>
#include <aprotic/codec/result.hpp>
#include <aprotic/engine/core/fault.hpp>
#include <aprotic/engine/core/handle_table.hpp>
#include <aprotic/engine/core/inbox.hpp>
#include <aprotic/engine/core/intrusive_list.hpp>
#include <aprotic/engine/core/link_endpoint.hpp>
#include <aprotic/engine/core/outbox.hpp>
#include <aprotic/engine/core/session_windows.hpp>
#include <aprotic/engine/core/states.hpp>
#include <aprotic/engine/core/unsettled.hpp>
#include <aprotic/engine/ids.hpp>
#include <aprotic/engine/options.hpp>

namespace aprotic::engine::core {

/// Our half of one session: its life, its windows, its handles, and the delivery-ids of both directions. [2.5]
class SessionEndpoint {
public:
    SessionEndpoint(EndpointContext& context, std::uint16_t channel, const SessionOptions& options);
    ~SessionEndpoint();
    SessionEndpoint(const SessionEndpoint&) = delete;
    SessionEndpoint& operator=(const SessionEndpoint&) = delete;

    void set_id(SessionId id) noexcept { id_ = id; }

    // --- what the peer sends ---------------------------------------------------------------------------------------

    /// The peer's begin, asking or answering.
    void recv_begin(std::uint16_t remote_channel, codec::Begin begin);
    Fault recv_attach(codec::Attach attach);
    Fault recv_flow(const codec::Flow& flow);
    Fault recv_transfer(codec::Transfer& transfer, codec::Bytes payload);
    /// The same for a delivery in one frame. False, and nothing has happened: recv_transfer has something to say of it.
    bool recv_whole_transfer(const codec::WholeTransfer& transfer, Inbox& inbox);
    void recv_disposition(codec::Disposition& disposition);
    Fault recv_detach(codec::Detach detach);
    void recv_end(codec::End end);
    /// Everything but an end is dropped: we have ended, or an error has. [2.5.4-b]
    bool drops_input() const noexcept {
        return state_ == SessionState::end_sent || state_ == SessionState::discarding || finished_;
    }

    // --- commands --------------------------------------------------------------------------------------------------

    codec::Result<LinkId> attach(const LinkOptions& options);
    codec::Result<void> end(std::optional<codec::ErrorCondition> error);
    /// The peer broke a rule of the session: ends it with the error.
    void fail(codec::ErrorCondition error);
    /// The connection is over, and this session with it.
    void cut(Initiator initiator, const std::optional<codec::ErrorCondition>& error);

    // --- output, in the connection's order -------------------------------------------------------------------------

    /// Begin, attaches, flows of receivers, dispositions.
    void write_opening(Outbox& outbox);
    /// Flows of senders, detaches, end.
    void write_closing(Outbox& outbox);
    bool needs_output() const noexcept;
    /// All it has to write are states of deliveries that have come.
    bool only_outcomes_due() const noexcept;

    // --- for the links ---------------------------------------------------------------------------------------------

    /// Both windows into a flow that is being written: the whole incoming window is given again. [2.7.4]
    void fill(codec::Flow& flow) noexcept;
    std::uint32_t next_delivery_id() noexcept { return next_outgoing_delivery_id_++; }
    /// The delivery-id of a delivery that begins. [2.7.5-e]
    Fault recv_delivery_id(std::uint32_t number);
    void mark_dirty(LinkEndpoint& link);
    void mark_dirty();
    /// A link that has gone lets its handles go.
    void free_handle(const LinkEndpoint& link) noexcept;
    void free_remote_handle(std::uint32_t handle, const LinkEndpoint& link) noexcept {
        remote_handles_.erase(handle, link);
    }
    /// Our detach is written, theirs is to come: the link has no handle any more.
    void add_leaving(LinkPassage& link) noexcept { leaving_.push_back(link); }
    /// `passage`: the link's, or null.
    void forget(LinkEndpoint& link, LinkPassage* passage) noexcept;
    /// Attaches the link once more, to close it. [2.6.6-b]
    void close_again(codec::Role role, const std::string& name);
    /// What was sent here by a link that is suspended now can still be settled here. [2.7.6-h]
    void remember(std::weak_ptr<SuspendedLink> link) { suspended_.push_back(std::move(link)); }
    /// The link bounds the window from now on: it takes deliveries in parts.
    void add_stream(const LinkEndpoint& link) { streams_.push_back(&link); }
    /// Parts were taken: the peer may send more.
    void reopen_window() noexcept {
        // A window that is bounded by the links waits longer, never less.
        if (!flow_due_ && windows.should_reopen()) reopen_bounded_window();
    }

    SessionId id() const noexcept { return id_; }
    std::uint16_t channel() const noexcept { return channel_; }
    SessionState state() const noexcept { return state_; }
    bool awaits_begin() const noexcept { return local_ && !remote_begun_ && state_ != SessionState::ended; }
    /// Frames of links may be written.
    bool can_send() const noexcept { return begin_written_ && !end_written_ && state_ != SessionState::ended; }
    /// Handles we may use, as far as we know: every peer takes handle 0, more only as its begin says. [2.7.2-b]
    bool may_use(std::uint32_t handle) const noexcept {
        return remote_begun_ ? handle <= remote_handle_max_ : handle == 0;
    }
    bool remote_begun() const noexcept { return remote_begun_; }
    /// The application has heard that the session has ended.
    bool reported = false;

    SessionWindows windows;
    Unsettled outgoing;  ///< deliveries of ours that the peer may name
    Unsettled incoming;  ///< deliveries of theirs that they may name
    DispositionQueue told_as_receiver;
    DispositionQueue told_as_sender;

    ListHook<SessionEndpoint> dirty;

private:
    void move(SessionInput input);
    void reopen_bounded_window() noexcept;
    void write_begin(Outbox& outbox);
    void write_flow(Outbox& outbox);
    void write_dispositions(Outbox& outbox, codec::Role role, DispositionQueue& queue);
    void write_end(Outbox& outbox);
    std::optional<std::uint32_t> free_handle_number() const noexcept;
    LinkEndpoint& add_link(LinkId& id, std::uint32_t handle, codec::Role role, std::string name);
    Fault recv_attach_request(codec::Attach attach, LinkEndpoint* namesake);
    void cut_links(Initiator initiator, const std::optional<codec::ErrorCondition>& error);
    void finish(Initiator initiator, std::optional<codec::ErrorCondition> error);
    bool any_sendable() const noexcept;
    std::uint32_t window_limit() const noexcept;
    void tell_suspended(const codec::Disposition& disposition);

    EndpointContext& context_;
    SessionId id_;
    std::uint16_t channel_;
    std::optional<std::uint16_t> remote_channel_;  // also when the peer has ended: our begin, still to come, names it
    SessionOptions options_;
    SessionState state_ = SessionState::unmapped;
    bool local_ = true;  // we began it
    bool remote_begun_ = false;
    bool begin_due_ = true;
    bool begin_written_ = false;
    bool flow_due_ = false;
    bool end_due_ = false;
    bool end_at_once_ = false;
    bool end_written_ = false;
    bool finished_ = false;  // SessionEnded is queued
    std::optional<codec::ErrorCondition> end_error_;
    std::uint32_t remote_handle_max_ = 0;
    std::uint32_t next_outgoing_delivery_id_ = 0;
    std::optional<std::uint32_t> next_incoming_delivery_id_;

    /// Calls `visit` for each link that has something to write; `visit` may end the one it is given, and no other.
    template <class F>
    void for_each_dirty(F visit) {
        for (std::size_t i = 0; i < dirty_links_.size();) {
            LinkEndpoint* const link = dirty_links_[i];
            visit(*link);
            if (i < dirty_links_.size() && dirty_links_[i] == link) ++i;
        }
    }

    // Every link is in one of these.
    std::vector<LinkEndpoint*> handles_;  // by our handle, null where it is free
    IntrusiveList<LinkPassage, &LinkPassage::leaving> leaving_;

    HandleTable<LinkEndpoint> remote_handles_;
    std::vector<LinkEndpoint*> dirty_links_;
    std::vector<const LinkEndpoint*> streams_;  // that take deliveries in parts
    std::vector<std::weak_ptr<SuspendedLink>> suspended_;
    std::vector<Delivery*> found_;  // memory for recv_disposition
};

}  // namespace aprotic::engine::core
