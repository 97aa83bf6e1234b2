#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <vector>

#include <aprotic/codec/bytes.hpp>
#include <aprotic/codec/frame.hpp>
#include <aprotic/codec/message.hpp>
#include <aprotic/codec/performatives.hpp>
#include <aprotic/codec/result.hpp>
#include <aprotic/engine/core/delivery_record.hpp>
#include <aprotic/engine/core/fault.hpp>
#include <aprotic/engine/core/intrusive_list.hpp>
#include <aprotic/engine/core/link_credit.hpp>
#include <aprotic/engine/core/outbox.hpp>
#include <aprotic/engine/core/rare.hpp>
#include <aprotic/engine/core/resumption.hpp>
#include <aprotic/engine/core/states.hpp>
#include <aprotic/engine/event.hpp>
#include <aprotic/engine/ids.hpp>
#include <aprotic/engine/link_status.hpp>
#include <aprotic/engine/options.hpp>

namespace aprotic::engine {
struct SuspendedLink;
}

namespace aprotic::engine::core {

struct EndpointContext;
class Inbox;
class LinkEndpoint;
class SessionEndpoint;

/// What a link has only now and then: while it begins, ends or is resumed, and when it has something particular to say.
/// Most links are idle, and of those there may be many.
struct LinkPassage {
    explicit LinkPassage(LinkEndpoint& whose) : link(whose) {}

    struct PendingDetach {
        bool closed = true;
        bool at_once = false;  ///< an error: what is queued for sending is not waited for
        std::optional<codec::ErrorCondition> error;
    };

    /// A link that the peer wants, until our attach is written.
    struct Request {
        std::optional<codec::Attach> attach;  ///< theirs, until accepted or refused
        LinkId predecessor;                   ///< owes its detach under the same name
        std::size_t cost;                     ///< of what the peer's attach makes us keep
    };

    bool empty() const noexcept {
        return !attach && !request && !detach && !remote_detach && !fault && !remote_unsettled && !flow_properties &&
               !default_outcome;
    }

    Rare<codec::Attach> attach;  ///< ours, until it is written
    Rare<Request> request;
    Rare<PendingDetach> detach;           ///< ours, until it is written
    Rare<codec::Detach> remote_detach;    ///< theirs, while ours is not written
    Rare<codec::ErrorCondition> fault;    ///< what we detached with
    Rare<UnsettledMap> remote_unsettled;  ///< theirs, until both attaches are known
    Rare<codec::Map> flow_properties;     ///< for the next flow
    Shared<ToldState> default_outcome;    ///< sending: of our source
    LinkEndpoint& link;
    ListHook<LinkPassage> leaving;  ///< of those whose detach is written and not answered
};

/// Our half of one link: its life, its credit, its deliveries. Lives from attach (ours or theirs) until the application
/// has been told that it is gone.
class LinkEndpoint {
public:
    /// `role`: ours.
    LinkEndpoint(EndpointContext& context, SessionEndpoint& session, codec::Role role, std::string name)
        : role_(role), context_(context), session_(session), name_(std::move(name)) {
        if (role == codec::Role::sender) {
            std::construct_at(&sending_);
            std::construct_at(&waiting_);
        } else {
            std::construct_at(&receiving_);
            std::construct_at(&incoming_);
        }
    }
    ~LinkEndpoint() {
        if (!is_sender()) std::destroy_at(&incoming_);
    }
    LinkEndpoint(const LinkEndpoint&) = delete;
    LinkEndpoint& operator=(const LinkEndpoint&) = delete;

    // --- birth -----------------------------------------------------------------------------------------------------

    /// A link of ours.
    void start(LinkId id, std::uint32_t handle, const LinkOptions& options);
    /// A link that the peer closed while we suspended it: attached once more, to be closed. [2.6.6-b]
    void start_closing(LinkId id, std::uint32_t handle);
    /// A link the peer wants. `predecessor` still owes its detach under the same name: our attach waits for that.
    Fault start_requested(LinkId id, std::uint32_t handle, codec::Attach remote, LinkId predecessor);

    // --- what the peer sends ---------------------------------------------------------------------------------------

    /// The answer to our attach.
    Fault recv_attach(codec::Attach remote);
    Fault recv_flow(const codec::Flow& flow);
    Fault recv_transfer(codec::Transfer& transfer, codec::Bytes payload);
    /// The same for a delivery in one frame, on a link on which it may begin and nothing is under way. False, and
    /// nothing has happened.
    bool recv_whole_transfer(const codec::WholeTransfer& transfer, Inbox& inbox);
    Fault recv_detach(codec::Detach detach);
    /// The peer's word about one delivery of this link, either direction.
    void recv_state(Delivery& delivery, bool settled, const Shared<ToldState>& state);
    /// The same for one that was accepted and settled. False: there is more to it, and nothing has happened.
    bool recv_accepted(Delivery& delivery);

    // --- commands --------------------------------------------------------------------------------------------------

    codec::Result<void> accept(const LinkOptions& options);
    codec::Result<void> refuse(codec::ErrorCondition error);
    codec::Result<void> detach(bool closed, std::optional<codec::ErrorCondition> error);
    codec::Result<void> set_credit(std::uint32_t credit);
    codec::Result<void> drain();
    codec::Result<void> set_available(std::uint32_t available);
    codec::Result<void> send_flow(bool echo, codec::Map properties);
    codec::Result<DeliveryId> send(codec::EncodedMessage&& message, const SendOptions& options);
    codec::Result<DeliveryId> begin_send(const SendOptions& options);
    codec::Result<std::size_t> append(Delivery& delivery, const codec::ByteChain& part);
    codec::Result<void> finish_send(Delivery& delivery);
    codec::Result<void> abort_send(Delivery& delivery);
    bool retract(Delivery& delivery);
    void take(Delivery& delivery, IncomingDelivery& taken);
    codec::Result<void> settle(Delivery& delivery, std::optional<codec::DeliveryState>&& state);
    /// settle() with accepted where nothing is special about it and it continues what is to be told already. False, and
    /// nothing has happened.
    bool accept_plainly(Delivery& delivery);
    codec::Result<void> update(Delivery& delivery, codec::DeliveryState state);
    LinkStatus status() const;
    /// Sending: deliveries that may start beyond those that wait.
    std::uint32_t spare_credit() const noexcept {
        if (!is_sender()) return 0;
        const std::uint32_t credit = sending_.credit.available();
        return waiting_.size() < credit ? credit - static_cast<std::uint32_t>(waiting_.size()) : 0;
    }
    codec::Result<DeliveryId> find_delivery(const codec::DeliveryTag& tag) const;
    const codec::DeliveryState* partial_state() const noexcept;

    /// The peer broke a rule of this link: detaches with the error and drops what comes until the peer has answered.
    /// [2.6.5]
    void fail(codec::ErrorCondition error);
    /// The session or connection is over, and this link with it.
    void cut(Initiator initiator, const std::optional<codec::ErrorCondition>& error);

    // --- output, called by the session in the connection's order ---------------------------------------------------

    void write_attach(Outbox& outbox);
    void write_receiver_flow(Outbox& outbox);
    void write_sender_flow(Outbox& outbox);
    void write_detach(Outbox& outbox);
    /// One transfer frame of the delivery whose turn it is; only while sendable().
    void write_transfer(Outbox& outbox);
    bool sendable() const noexcept;
    /// Whether anything but transfers waits to be written.
    bool needs_output() const noexcept;

    // --- what was polled -------------------------------------------------------------------------------------------

    /// The application has heard of the flow.
    void flow_polled();
    /// The application hears of the delivery, or of another part. False: there is nothing to hear of any more.
    bool receipt_polled(Delivery& delivery);
    /// The application hears of the delivery's news.
    void news_polled(Delivery& delivery, DeliveryUpdated& event);
    /// The application hears that the delivery is over, accepted or sent settled.
    void settled_polled(Delivery& delivery);
    /// The last frame of a delivery sent settled was written.
    void sent_settled(Delivery& delivery);
    /// What the application needs to attach the link again; null if it is not resumable.
    std::shared_ptr<SuspendedLink> suspend();
    /// Deliveries of which no frame was built, on this link or one that it was attached in place of.
    std::vector<DeliveryId> unsent() const;
    /// Forgets everything; the link is about to be destroyed.
    void release();

    LinkId id() const noexcept { return id_; }
    SessionEndpoint& session() const noexcept { return session_; }
    codec::Role role() const noexcept { return role_; }
    const std::string& name() const noexcept { return name_; }
    LinkState state() const noexcept { return state_; }
    std::uint32_t handle() const noexcept { return handle_; }
    /// Ours, and the peer's attach has not come yet.
    bool awaits_attach() const noexcept { return local_ && !remote_attached_ && state_ != LinkState::ended; }
    /// Our detach is neither written nor pointless.
    bool owes_detach() const noexcept { return state_ != LinkState::ended && !detach_written_; }
    /// The application has an id for the link.
    bool known() const noexcept { return known_; }
    /// The application may settle its deliveries: the link is there, or will be attached again.
    bool may_decide() const noexcept { return state_ != LinkState::ended || resumable_; }
    /// We detach: what still comes is dropped. [2.6.5-b]
    bool drops_input() const noexcept {
        return detaches() || (state_ != LinkState::attached && state_ != LinkState::attach_received);
    }
    bool is_sender() const noexcept { return role_ == codec::Role::sender; }
    /// Deliveries are told part by part.
    bool in_parts() const noexcept { return !is_sender() && incoming_.stream != nullptr; }
    /// Transfer frames the peer may send without the parts that wait here becoming more than the stream window.
    std::uint32_t frames_wanted() const noexcept;

    bool dirty : 1 = false;         ///< in the session's list of those that have something to write
    bool in_scheduler : 1 = false;  ///< in the scheduler's queue

private:
    using PendingDetach = LinkPassage::PendingDetach;
    using Request = LinkPassage::Request;

    /// What only a link has that sends.
    struct Sending {
        SenderCredit credit;
        std::uint32_t available = 0;
        std::uint32_t reductions_due = 0;  // deliveries to settle before the link is suspended again
        std::uint64_t next_tag = 0;
    };

    /// Of a receiving link that takes deliveries in parts. Bytes.
    struct Stream {
        std::size_t window;       // of parts that may wait
        std::size_t waiting = 0;  // of parts
    };

    /// What only a link has that receives.
    struct Receiving {
        ReceiverCredit credit;
        std::uint32_t to_resume = 0;         // deliveries in both unsettled maps that the peer has not resumed
        std::uint64_t message_size_max = 0;  // bytes, 0 = no limit
    };
    struct Incoming {
        Delivery* partial = nullptr;     // its last frame is still to come
        std::unique_ptr<Stream> stream;  // null: whole messages only
    };

    void move(LinkInput input);
    void mark_dirty();
    Fault take_over(const codec::Attach& remote);
    void prepare_attach(const LinkOptions& options);
    void prepare_refusal();
    void request_detach(PendingDetach detach);
    bool alive() const noexcept;
    /// Dispositions of its deliveries still reach the peer.
    bool can_tell() const noexcept;
    void finish(Initiator initiator, bool closed, std::optional<codec::ErrorCondition> error);
    void drop_partial();
    /// The peer wants the link, and the application has not answered.
    bool is_unanswered() const noexcept { return passage_ && passage_->request && passage_->request->attach; }
    bool attaches() const noexcept { return passage_ && passage_->attach; }
    bool detaches() const noexcept { return passage_ && passage_->detach; }
    bool detaches_at_once() const noexcept { return detaches() && passage_->detach->at_once; }
    void release_request() noexcept;
    void free_remote_handle() noexcept;
    LinkPassage& passage();
    /// Gives its room back when nothing is left in it.
    void leave_passage() noexcept {
        if (passage_ && passage_->empty()) passage_.reset();
    }
    std::size_t cost() const noexcept;
    void push(Event event);
    void queue_flowed();
    void queue_news(Delivery& delivery);
    void queue_receipt(Delivery& delivery);
    void mark_remote_settled(Delivery& delivery) noexcept;
    static bool is_plain(const Delivery& delivery) noexcept;
    void leave_unsettled(Delivery& delivery) noexcept;
    void erase(Delivery& delivery);
    void release_cost(Delivery& delivery) noexcept;
    bool may_drain_now() const noexcept;
    void write_flow(Outbox& outbox, codec::Flow& flow);
    void remember(Delivery& delivery, const std::optional<codec::DeliveryState>& state);
    void restore(const SuspendedLink& link);
    codec::Map unsettled_map() const;
    bool shorten_unsettled_map();
    void resume();
    void plan(Delivery& delivery, const UnsettledMap& theirs);
    void tell_settled(Delivery& delivery);
    void fill_resumed(codec::Transfer& transfer, Delivery& delivery);
    Delivery* find_resumed(const codec::DeliveryTag& tag) noexcept;
    void finish_resumed(Delivery& delivery);
    void suspend_if_reduced();
    codec::Result<Delivery*> add_outgoing(const SendOptions& options, codec::EncodedMessage&& message);
    void write_abort(Outbox& outbox, Delivery& delivery);
    void begin_transfer(Delivery& delivery);
    void enter_unsettled(Delivery& delivery);
    void frame_written(Delivery& delivery, std::size_t length);
    void last_frame_written(Outbox& outbox, Delivery& delivery);
    std::size_t frame_room(const Delivery& delivery, bool first) const noexcept;
    void write_full_transfer(Outbox& outbox, Delivery& delivery);
    void end_early(Delivery& delivery);
    void fail_oversized();
    Fault begin_incoming(codec::Transfer& transfer);
    Fault check_continuation(const codec::Transfer& transfer) const;
    Fault add_payload(Delivery& delivery, codec::Bytes payload, bool more);
    void take_back(Delivery& delivery);
    void renew_credit();
    void grant(std::uint32_t credit);
    std::size_t& counter(const Delivery& delivery) noexcept;

    // With the two marks above, four octets.
    bool local_ : 1 = false;            // we asked for the link
    bool known_ : 1 = false;            // the application has an id for it
    bool remote_attached_ : 1 = false;  // the peer's attach has come
    bool has_remote_handle_ : 1 = false;
    bool opened_ : 1 = false;   // LinkOpened was told, or the link accepted
    bool refused_ : 1 = false;  // the peer answered with a null terminus
    bool detach_written_ : 1 = false;
    bool closed_ : 1 = false;  // our detach said so
    bool flow_due_ : 1 = false;
    bool flowed_queued_ : 1 = false;
    bool echo_due_ : 1 = false;
    bool echo_awaited_ : 1 = false;
    bool resumable_ : 1 = false;
    bool told_incomplete_ : 1 = false;  // our map did not fit into a frame
    bool reducing_ : 1 = false;         // one of the maps is incomplete: nothing new may begin [2.7.3-h]
    bool credit_lent_ : 1 = false;      // receiver: the application has granted none, the one there is serves to resume
    bool skipping_ : 1 = false;         // the rest of a delivery that is none of ours is passing by [2.6.13-b]
    codec::Role role_ : 1;
    codec::SenderSettleMode snd_settle_mode_ : 2 = codec::SenderSettleMode::mixed;
    codec::ReceiverSettleMode rcv_settle_mode_ : 1 = codec::ReceiverSettleMode::first;
    LinkState state_ = LinkState::detached;

    std::uint32_t handle_ = 0;
    std::uint32_t remote_handle_ = 0;  // while it has one
    std::uint32_t unsettled_ = 0;
    LinkId id_;
    EndpointContext& context_;
    SessionEndpoint& session_;
    std::unique_ptr<LinkPassage> passage_;
    union {  // by role_
        Sending sending_;
        Receiving receiving_;
    };
    union {                                                    // by role_
        IntrusiveList<Delivery, &Delivery::waiting> waiting_;  // sending
        Incoming incoming_;
    };
    IntrusiveList<Delivery, &Delivery::of_link> deliveries_;
    std::uint64_t remote_message_size_max_ = 0;  // bytes, 0 = no limit
    std::string name_;
};

}  // namespace aprotic::engine::core
