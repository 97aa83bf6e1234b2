#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>

#include <aprotic/codec/bytes.hpp>
#include <aprotic/codec/definitions.hpp>
#include <aprotic/codec/delivery_state.hpp>
#include <aprotic/codec/message.hpp>
#include <aprotic/codec/types.hpp>
#include <aprotic/engine/core/intrusive_list.hpp>
#include <aprotic/engine/core/resumption.hpp>
#include <aprotic/engine/core/shared.hpp>
#include <aprotic/engine/ids.hpp>

namespace aprotic::engine::core {

class LinkEndpoint;

/// A state that the peer told, once for all deliveries it was told of: a frame may name thousands. It counts in the
/// connection's buffers as long as anybody holds it.
struct ToldState {
    ToldState(codec::DeliveryState told, std::size_t bytes, std::size_t& counter)
        : state(std::move(told)), cost(bytes), counted_in(&counter) {
        *counted_in += cost;
    }
    ~ToldState() { *counted_in -= cost; }
    ToldState(const ToldState&) = delete;
    ToldState& operator=(const ToldState&) = delete;

    codec::DeliveryState state;
    std::size_t cost;
    std::size_t* counted_in;
    std::size_t references = 0;  ///< for Shared
};

/// What only deliveries of resumable links have. [2.6.13]
struct DeliveryMemory {
    std::optional<codec::DeliveryState> state;  ///< ours
    ResumeStep step;                            ///< outgoing: what its first frame will say
    bool restored = false;                      ///< it comes from before the link was attached
    bool counted = false;                       ///< it is one of those that must go before the link is suspended again
};

/// What every frame of an outgoing delivery says of it, where that is not nothing. [4.4.1-c]
struct SentState {
    std::shared_ptr<const codec::DeliveryState> state;
    std::size_t size = 0;  ///< octets on the wire
};

/// One delivery, from its first frame (or from send) until both the wire and the application are done with it. There is
/// one for each message under way, so what few of them have is elsewhere.
struct Delivery {
    explicit Delivery(LinkEndpoint* owner) : link(owner) {}
    /// Outgoing.
    Delivery(LinkEndpoint* owner, codec::EncodedMessage&& message)
        : link(owner), total(message.size()), payload(std::move(message).octets()) {}

    LinkEndpoint* link;
    DeliveryId id;
    void* context = nullptr;   ///< outgoing: the application's
    std::uint32_t number = 0;  ///< delivery-id of the session; meaningless until `numbered`
    std::uint32_t message_format = 0;
    std::uint32_t disposition_epoch = 0;  ///< when we last told a state; see DispositionQueue

    bool numbered = false;
    bool framed = false;         ///< outgoing: the last frame is built
    bool in_parts = false;       ///< outgoing: framed bytes are not kept; incoming: told part by part
    bool open = false;           ///< outgoing: more may be appended
    bool abort_due = false;      ///< outgoing: the next frame is the last, and says that the delivery is taken back
    bool written = false;        ///< outgoing, sent settled: the last frame is written
    bool wants_more = false;     ///< outgoing: news that all parts have left
    bool aborted = false;        ///< news that the sender took the delivery back
    bool settled = false;        ///< the sender sent it settled
    bool settle_second = false;  ///< the receiver waits for the sender's settlement [2.7.5-n]
    bool complete = false;       ///< incoming: the last frame has come
    bool taken = false;          ///< incoming: the application has the payload
    bool known = false;          ///< incoming: the application has heard of it
    bool receipt_queued = false;  ///< incoming: a DeliveryReceived was queued, and not taken since
    bool remote_outcome = false;  ///< the peer told an outcome: it is final [2.7.5-r]
    bool remote_settled = false;  ///< the peer has forgotten the delivery
    bool local_settled = false;   ///< we have
    bool news_queued = false;     ///< news of it wait in the event queue

    std::size_t cost = 0;     ///< incoming: what it counts for in the connection's buffers. Bytes
    std::size_t sent = 0;     ///< outgoing: bytes of payload that are framed
    std::uint64_t total = 0;  ///< bytes of the message so far, whatever became of them

    ListHook<Delivery> of_link;  ///< every delivery of the link
    ListHook<Delivery> waiting;  ///< outgoing: not wholly framed, in order

    Shared<ToldState> remote_state;  ///< the latest the peer told; until it is heard or, an outcome, settled
    std::unique_ptr<DeliveryMemory> memory;
    std::unique_ptr<SentState> sent_state;

    /// Incoming: what has come and is not taken. Outgoing: the message, until it is framed; of a link that may be
    /// attached again, until it is settled.
    codec::ByteChain payload;
    codec::DeliveryTag tag;
};

}  // namespace aprotic::engine::core
