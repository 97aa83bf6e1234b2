#include <aprotic/driver/bus/inbound.hpp>

#include <algorithm>
#include <utility>

#include <fmt/core.h>

#include <aprotic/driver/bus/bus.hpp>

namespace aprotic::driver::bus {

struct Inbound::Link final : engine::ReceiverHandler {
    Link(std::weak_ptr<Inbound> owner, std::size_t place) : inbound(std::move(owner)), index(place) {}

    /// The inbound, while this is still its link.
    std::shared_ptr<Inbound> owner() const {
        auto alive = inbound.lock();
        return alive && !alive->closed_ && alive->links_[index].get() == this ? alive : nullptr;
    }
    void on_open(engine::Receiver&) override {
        open = true;
        if (const auto alive = owner()) alive->report();
    }
    void on_message(engine::Receiver&, engine::Delivery& delivery) override {
        // Dropped by a link that is being closed, it is released.
        if (const auto alive = owner()) alive->callbacks_.message(std::move(delivery));
    }
    void on_close(engine::Receiver&, const std::optional<engine::Failure>& why) override;

    std::weak_ptr<Inbound> inbound;
    std::size_t index;
    engine::Receiver receiver;
    bool open = false;
};

void Inbound::Link::on_close(engine::Receiver&, const std::optional<engine::Failure>& why) {
    const auto alive = owner();
    receiver = {};
    open = false;
    if (!alive) return;
    alive->links_[index] = nullptr;
    const auto bus = alive->bus_.lock();
    if (!bus || !bus->is_up()) return;

    CallFailure failure;
    const bool refused = why && why->code == engine::Errc::refused;
    failure.code = refused ? Errc::refused : Errc::not_sent;
    failure.address = alive->addresses_[index];
    failure.host = bus->host_name();
    failure.text = fmt::format("the link to listen on '{}' at {} was {}; it is tried again every link_retry_delay",
                               failure.address, failure.host, refused ? "refused" : "closed by the peer");
    if (why) failure.condition = why->condition;
    bus->log(LogLevel::warning, "server_link_lost", failure.message(), {{"address", failure.address}});
    alive->report(std::move(failure));
    bus->reactor().start_timer(bus->reactor().now() + bus->options().link_retry_delay,
                               [weak = std::weak_ptr(alive), place = index] {
                                   const auto again = weak.lock();
                                   if (again && !again->closed_ && !again->links_[place]) again->attach(place);
                               });
}

Inbound::Inbound(Bus& bus, Target target, Callbacks callbacks)
    : bus_(bus.weak_from_this()), target_(std::move(target)), callbacks_(std::move(callbacks)) {}

void Inbound::attach() {
    const auto bus = bus_.lock();
    if (!bus || closed_) return;
    addresses_ = bus->addresser().server_addresses(target_);
    for (std::size_t index = 0; index < link_count; ++index) attach(index);
}

void Inbound::attach(std::size_t index) {
    const auto bus = bus_.lock();
    if (!bus || !bus->is_up()) return;
    const std::string& address = addresses_[index];
    engine::ReceiverOptions options;
    options.link.name = fmt::format("openstack.org/om/receiver/[{}]/{}", address, bus->random_id());
    const TransportOptions& asked = bus->options();
    codec::Target target;
    codec::Source source;
    source.address = target.address = address;
    if (asked.amqp_durable_queues) {
        source.durable = target.durable = codec::TerminusDurability::unsettled_state;
        source.expiry_policy = target.expiry_policy = codec::TerminusExpiryPolicy::never;
    }
    if (asked.amqp_auto_delete) source.expiry_policy = target.expiry_policy = codec::TerminusExpiryPolicy::link_detach;
    options.link.source = std::move(source);
    options.link.target = std::move(target);
    options.credit = asked.rpc_server_credit;
    links_[index] = std::make_shared<Link>(weak_from_this(), index);
    links_[index]->receiver = bus->connection().open_receiver(address, std::move(options), links_[index]);
}

void Inbound::lost(CallFailure why) {
    links_ = {};
    report(std::move(why));
}

void Inbound::close() {
    closed_ = true;
    for (auto& link : std::exchange(links_, {}))
        if (link && link->receiver) std::exchange(link->receiver, {}).close();
}

void Inbound::report(std::optional<CallFailure> obstacle) {
    const auto open = std::ranges::count_if(links_, [](const auto& link) { return link && link->open; });
    if (callbacks_.state) callbacks_.state(static_cast<std::size_t>(open), std::move(obstacle));
}

}  // namespace aprotic::driver::bus
