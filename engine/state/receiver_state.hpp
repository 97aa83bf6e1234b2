#pragma once

#include <algorithm>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <optional>

#include <aprotic/codec/delivery_state.hpp>
#include <aprotic/engine/engine.hpp>
#include <aprotic/engine/link_status.hpp>
#include <aprotic/engine/receiver.hpp>
#include <aprotic/engine/state/link_state.hpp>
#include <aprotic/engine/state/rare_map.hpp>
#include <aprotic/engine/state/transaction_state.hpp>

namespace aprotic::engine {

/// How much a receiving link may have under way.
struct CreditWindow {
    std::uint32_t deliveries = 0;  ///< 0: the application grants
    std::uint32_t usual = 0;       ///< what a message has had lately, where `bytes` bounds. Bytes
    std::size_t bytes = 0;         ///< 0: not bounded

    void count(std::size_t message) noexcept {
        const auto size = static_cast<std::uint32_t>(std::min<std::size_t>(message, UINT32_MAX));
        if (bytes != 0) usual = usual == 0 ? size : usual - usual / 8 + size / 8;
    }
};

/// A message that is told part by part, between the reactor's thread and whoever reads it. Under `mutex`.
struct IncomingParts {
    std::mutex mutex;
    std::condition_variable changed;
    codec::ByteChain here;    ///< taken from the engine, not read
    bool more = false;        ///< the engine has more
    bool complete = false;    ///< nothing comes after what is here
    std::uint64_t taken = 0;  ///< times that something was taken from the engine
    std::optional<Failure> ended;
    std::optional<Completer<codec::ByteChain>> reader;
};

struct MessagesAtHand;

/// A receiving link. Grants credit so that what the peer may send and what the application has not settled never exceed
/// the option together.
struct ReceiverState final : LinkState {
    ReceiverState(ConnectionState& its_connection, LinkOptions its_options, CreditWindow window,
                  std::shared_ptr<ReceiverHandler> its_handler);

    static Receiver make_handle(const std::shared_ptr<ReceiverState>& state, std::shared_ptr<void> keeps) {
        return Receiver(make_held(state, std::move(keeps)));
    }

    /// One that does not hold the link open.
    static Receiver plain_handle(std::shared_ptr<ReceiverState> state) { return Receiver(std::move(state)); }
    std::shared_ptr<ReceiverState> shared() { return std::static_pointer_cast<ReceiverState>(shared_from_this()); }

    // --- any thread
    // --------------------------------------------------------------------------------------------------------

    codec::Result<Delivery, Failure> try_receive(Duration timeout);
    Async<Delivery> async_receive(Duration timeout, std::stop_token cancel);
    void settle(DeliveryId delivery, std::size_t bytes, codec::DeliveryState outcome);
    /// The usual answers, without an allocation for the way.
    void accept(DeliveryId delivery, std::size_t bytes);
    void release(DeliveryId delivery, std::size_t bytes);
    /// The answer to a message that belongs to a transaction; `acquired_in` when that is ours.
    void settle_within(DeliveryId delivery, std::size_t bytes, codec::TransactionalState state,
                       std::shared_ptr<TransactionState> acquired_in);
    /// An answer that `transaction` decides on.
    void answer_within(std::shared_ptr<ProvisionalAnswer> answer, std::shared_ptr<TransactionState> transaction);
    Async<void> async_settle(DeliveryId delivery, std::size_t bytes, codec::DeliveryState outcome, Duration timeout,
                             std::stop_token cancel);
    codec::Result<codec::ByteChain, Failure> try_read(DeliveryId delivery, IncomingParts& parts, Duration timeout);
    Async<codec::ByteChain> async_read(DeliveryId delivery, const std::shared_ptr<IncomingParts>& parts,
                                       Duration timeout, std::stop_token cancel);
    /// A delivery of a link that this one was attached in place of.
    void settle_resumed(const codec::DeliveryTag& tag, codec::DeliveryState outcome);

    // --- reactor's thread
    // --------------------------------------------------------------------------------------------------

    void add_credit(std::uint32_t more);
    void set_credit(std::uint32_t deliveries);
    void drain();
    std::uint32_t credit() const;
    std::uint32_t available() const;
    std::optional<codec::Binary> partial_txn_id() const;

    /// The peer acquires for `transaction` from now on.
    void acquire(const std::shared_ptr<TransactionState>& transaction);
    /// Before the discharge: false when no credit is left to come back. [4.4.3-d]
    bool drain_acquisition();
    void end_acquisition();

    void before_attach(const SuspendedLink& link) override;
    void after_attach(const std::shared_ptr<SuspendedLink>& resumed) override;
    void flowed() override;
    void deliveries_received(std::span<const DeliveryId> deliveries) override;
    void delivery_updated(const DeliveryUpdated& event) override;
    void before_detach() override;
    void after_end(const Failure& why) override;
    void forget_user() override;
    void tell_open() override;
    void tell_remote_close(const std::optional<codec::ErrorCondition>& error) override;
    void tell_close(const std::optional<Failure>& why) override;

private:
    /// A message of which more may come.
    struct UnderWay {
        std::shared_ptr<IncomingParts> parts;
        std::optional<Delivery> kept;  ///< for the handler, while it has not moved it away
    };

    /// An outcome that waits for the sender to settle too.
    struct Confirming {
        Completer<void> waiter;
        std::size_t bytes;
    };

    /// What the peer acquires belongs to a transaction.
    struct Acquisition {
        std::shared_ptr<TransactionState> transaction;
        bool draining = false;  ///< for its discharge
    };

    /// Of a link without a handler.
    struct Pulled {
        explicit Pulled(const std::shared_ptr<Recycler>& from)
            : waiters(RecyclingAllocator<Completer<Delivery>>(from)), inbox(RecyclingAllocator<Delivery>(from)) {}

        std::list<Completer<Delivery>, RecyclingAllocator<Completer<Delivery>>> waiters;
        std::list<Delivery, RecyclingAllocator<Delivery>> inbox;  ///< under `mutex`; for try_receive
    };

    void delivery_received(Engine& engine, MessagesAtHand& at_hand, DeliveryId delivery);
    Failure failure(Errc code, std::string_view text) const;
    Failure not_admitted() const;
    /// Null also when the link has been suspended, though not ended yet.
    Engine* attached_engine() const;
    /// The application has answered it.
    void forget(DeliveryId delivery, std::size_t bytes) {
        if (resumable) resumption->tags.erase(delivery);
        no_longer_held(bytes);
    }
    /// All of `incoming` is there.
    void complete(Delivery::State& state);
    /// To who waits, or into the inbox.
    void hand_out(Delivery delivery);
    void settle_now(DeliveryId delivery, std::size_t bytes, codec::DeliveryState outcome);
    void settled(DeliveryId delivery, std::size_t bytes);
    /// The link is not attached: leaves the outcome where the next attach finds it.
    void settle_suspended(const codec::DeliveryTag& tag, codec::DeliveryState outcome);
    void no_longer_held(std::size_t bytes) {
        if (held_ > 0) --held_;
        held_bytes_ -= std::min(held_bytes_, bytes);
        top_up();
    }
    void grant(std::uint32_t more);
    void top_up() {
        // As it mostly is.
        if (credit_ > window_.deliveries / 2 && window_.bytes == 0) return;
        grant_anew();
    }
    void grant_anew();
    /// Deliveries that may still come, as far as the bytes held are concerned.
    std::uint32_t allowed_by_bytes() const;
    void take_back_credit(std::uint32_t allowed);

    void begin_parts(Delivery delivery);
    /// The engine has more of it.
    void more_parts(DeliveryId delivery);
    /// What was here has been read.
    void fetch(DeliveryId delivery);
    void take_part(DeliveryId delivery, IncomingParts& parts);
    void tell_part(DeliveryId delivery);
    static void end_parts(IncomingParts& parts, Failure why);

    // First what fits behind the last of LinkState.
    bool draining_ = false;
    bool stopped_ = false;      ///< after a drain, until more credit is asked for
    std::uint32_t held_ = 0;    ///< messages the application has and has not answered
    std::uint32_t credit_ = 0;  ///< granted, and no message handed to the application for it
    CreditWindow window_;
    std::size_t held_bytes_ = 0;  ///< of the messages the application has and has not answered
    std::shared_ptr<ReceiverHandler> handler_;
    std::unique_ptr<Acquisition> acquiring_;
    RareMap<UnderWay> under_way_;
    RareMap<Confirming> confirming_;
    const std::unique_ptr<Pulled> pulled_;
};

struct Delivery::State {
    State(ReceiverState& its_receiver, DeliveryId its_id) noexcept : receiver(&its_receiver), id(its_id) {}
    /// Deliveries are made on the reactor's thread, and end anywhere.
    static void* operator new(std::size_t bytes, Recycler& from) { return from.take_here(bytes); }
    static void operator delete(void* block, Recycler& from) noexcept { from.give_back_here(block, sizeof(State)); }
    static void operator delete(State* state, std::destroying_delete_t) noexcept { destroy(state, false); }
    /// `here`: on the reactor's thread.
    static void destroy(State* state, bool here) noexcept {
        const std::shared_ptr<void> last = std::move(state->holds);
        Recycler& from = *state->receiver->loop()->recycler;
        state->~State();
        here ? from.give_back_here(state, sizeof(State)) : from.give_back(state, sizeof(State));
    }

    /// It leaves the hands of the library, or may: from now on it holds its link.
    void hold() noexcept {
        if (!holds) holds = receiver->shared_from_this();
    }
    /// For another delivery of the same connection.
    void begin_anew(ReceiverState& its_receiver, DeliveryId its_id) noexcept {
        receiver = &its_receiver;
        id = its_id;
        held = answered = false;
    }
    /// What the delivery had goes; for one that was whole and is answered.
    void clear(Engine& engine) noexcept {
        engine.give_back(std::move(view).octets());
        incoming.state.reset();
        acquired_in.reset();
    }

    ReceiverState* receiver;
    std::shared_ptr<void> holds;  ///< `receiver`; null while a handler is only shown the message
    DeliveryId id;
    IncomingDelivery incoming;  ///< but for its payload, which the view has
    std::size_t bytes = 0;      ///< counted as held
    bool held = false;          ///< counts until it is answered
    bool answered = false;
    std::shared_ptr<IncomingParts> parts;            ///< null: the message is whole
    codec::MessageView view;                         ///< of nothing when the message is in parts
    std::shared_ptr<ProvisionalAnswer> provisional;  ///< the latest within a transaction
    std::shared_ptr<TransactionState> acquired_in;   ///< ours

    /// False: it is settled or has been answered, and no transaction has taken that back.
    bool begin_answer() noexcept {
        if (!held) return false;
        if (provisional) forget_reverted();
        return !std::exchange(answered, true);
    }
    void forget_reverted() noexcept;
};

inline void ReceiverState::complete(Delivery::State& state) {
    IncomingDelivery& incoming = state.incoming;
    state.held = !incoming.settled || state.parts;
    state.bytes = incoming.payload.size();
    if (acquiring_) state.acquired_in = acquiring_->transaction;
    if (resumable && !incoming.settled) resumption->tags.insert_or_assign(state.id, incoming.tag);
    state.view.assign(std::move(incoming.payload));
}

/// What a connection has at hand for the messages of one turn, which mostly come on one link and are answered where
/// they are handled: then nothing is counted or made for each of them.
struct MessagesAtHand {
    /// For a message on `its_link`.
    void turn_to(ReceiverState& its_link) {
        if (link.get() != &its_link) {
            link = its_link.shared();
            if (spare) spare->receiver = link.get();
        }
        // A handler may have moved it away, or put another into its place.
        if (handle.state_ != link) handle = ReceiverState::plain_handle(link);
    }
    std::unique_ptr<Delivery::State> new_delivery(DeliveryId id) {
        if (!spare) return std::unique_ptr<Delivery::State>(new (*link->loop()->recycler) Delivery::State(*link, id));
        spare->begin_anew(*link, id);
        return std::move(spare);
    }
    /// The handler is done with it.
    void take_back(std::unique_ptr<Delivery::State>& state, Engine& engine) {
        if (spare) return;
        state->clear(engine);
        spare = std::move(state);
    }
    /// The turn is over.
    void clear() noexcept {
        if (spare) Delivery::State::destroy(spare.release(), true);
        handle = {};
        link.reset();
    }

    std::shared_ptr<ReceiverState> link;  ///< lives while its handler is shown a message
    Receiver handle;                      ///< what the handler is given
    std::unique_ptr<Delivery::State> spare;
};

}  // namespace aprotic::engine
