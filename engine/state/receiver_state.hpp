#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>

#include <aprotic/codec/delivery_state.hpp>
#include <aprotic/engine/link_status.hpp>
#include <aprotic/engine/receiver.hpp>
#include <aprotic/engine/state/link_state.hpp>

namespace aprotic::engine {

/// A receiving link. Grants credit so that what the peer may send and what the application has not settled never exceed
/// the option together.
struct ReceiverState final : LinkState {
    ReceiverState(std::shared_ptr<Loop> its_loop, ConnectionState& its_connection, LinkOptions its_options,
                  std::uint32_t credit_target, std::shared_ptr<ReceiverHandler> its_handler);

    static Receiver make_handle(const std::shared_ptr<ReceiverState>& state, std::shared_ptr<void> keeps) {
        return Receiver(make_held(state, std::move(keeps)));
    }
    /// Any thread.
    codec::Result<Delivery, Failure> try_receive(Duration timeout);
    /// Any thread.
    void settle(DeliveryId delivery, codec::DeliveryState outcome);
    /// Any thread: the usual answers, without an allocation for the way.
    enum class Short { accepted, released };
    void settle(DeliveryId delivery, Short outcome);

    void add_credit(std::uint32_t more);
    void drain();
    std::uint32_t credit() const;

    void after_attach() override;
    void flowed() override;
    void delivery_received(DeliveryId delivery) override;
    void delivery_updated(const DeliveryUpdated& event) override;
    void before_detach() override;
    void after_end(const Failure& why) override;
    void forget_user() override;
    void tell_open() override;
    void tell_remote_close(const std::optional<codec::ErrorCondition>& error) override;
    void tell_close(const std::optional<Failure>& why) override;

private:
    void settle_now(DeliveryId delivery, codec::DeliveryState outcome);
    void grant(std::uint32_t more);
    void top_up();
    void no_longer_held();

    const std::uint32_t target_;
    std::shared_ptr<ReceiverHandler> handler_;
    std::uint32_t credit_ = 0;  ///< granted, and no message handed to the application for it
    std::uint32_t held_ = 0;    ///< messages the application has and has not answered
    bool draining_ = false;
    bool stopped_ = false;  ///< after a drain, until more credit is asked for

    std::deque<Delivery> inbox_;  ///< under `mutex`; for try_receive
};

struct Delivery::State {
    std::shared_ptr<ReceiverState> receiver;
    DeliveryId id;
    IncomingDelivery incoming;
    mutable std::optional<codec::MessageView> view;  ///< made when first asked for
    bool answered = false;
};

}  // namespace aprotic::engine
