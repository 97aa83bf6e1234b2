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
        return alive && !alive->closed_ && index < alive->links_.size() && alive->links_[index].get() == this ? alive
                                                                                                              : nullptr;
    }
    void on_open(engine::Receiver&) override {
        open = true;
        if (const auto alive = owner()) alive->report();
    }
    void on_message(engine::Receiver&, engine::Delivery& delivery) override {
        // Dropped by a link that is being closed, it is released.
        if (const auto alive = owner()) alive->callbacks_.message(std::move(delivery));
    }
    void on_drained(engine::Receiver&) override {
        drained = true;
        if (const auto alive = owner()) alive->check_drained();
    }
    void on_close(engine::Receiver&, const std::optional<engine::Failure>& why) override;

    std::weak_ptr<Inbound> inbound;
    std::size_t index;
    engine::Receiver receiver;
    bool open = false;
    bool drained = false;
};

void Inbound::Link::on_close(engine::Receiver&, const std::optional<engine::Failure>& why) {
    const auto alive = owner();
    receiver = {};
    open = false;
    if (!alive) return;
    alive->links_[index] = nullptr;
    if (alive->draining_) return alive->check_drained();
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
                                   if (!again || again->closed_ || again->draining_) return;
                                   if (place < again->links_.size() && !again->links_[place]) again->attach(place);
                               });
}

Inbound::Inbound(Bus& bus, Subscription subscription, Callbacks callbacks)
    : bus_(bus.weak_from_this()), subscription_(std::move(subscription)), callbacks_(std::move(callbacks)) {}

void Inbound::attach() {
    const auto bus = bus_.lock();
    if (!bus || closed_ || draining_) return;
    addresses_.clear();
    for (auto& address : subscription_.addresses(bus->addresser()))
        if (std::ranges::find(addresses_, address) == addresses_.end()) addresses_.push_back(std::move(address));
    links_.assign(addresses_.size(), nullptr);
    for (std::size_t index = 0; index < links_.size(); ++index) attach(index);
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
    options.credit = subscription_.credit;
    links_[index] = std::make_shared<Link>(weak_from_this(), index);
    links_[index]->receiver = bus->connection().open_receiver(address, std::move(options), links_[index]);
}

void Inbound::lost(CallFailure why) {
    links_ = {};
    if (draining_) return check_drained();
    report(std::move(why));
}

void Inbound::drain(engine::Function<void()> drained) {
    if (std::exchange(draining_, true)) return;
    drained_ = std::move(drained);
    const auto bus = bus_.lock();
    const bool direct = bus && bus->is_direct();
    if (direct) bus->drain(*this);
    for (auto& link : links_) {
        if (!link) continue;
        if (link->open)
            link->receiver.drain();
        else
            std::exchange(link, nullptr)->receiver.close();
    }
    // A peer that does not answer is not waited for.
    constexpr Duration patience = std::chrono::seconds(5);
    if (bus)
        bus->reactor().start_timer(bus->reactor().now() + patience, [weak = weak_from_this()] {
            const auto alive = weak.lock();
            if (!alive || alive->closed_) return;
            for (auto& link : alive->links_)
                if (link) link->drained = true;
            alive->check_drained();
        });
    if (!direct) check_drained();
}

void Inbound::check_drained() {
    if (std::ranges::any_of(links_, [](const auto& link) { return link && !link->drained; })) return;
    quiet();
}

void Inbound::close() {
    closed_ = true;
    for (auto& link : std::exchange(links_, {}))
        if (link && link->receiver) std::exchange(link->receiver, {}).close();
    quiet();
}

std::vector<std::string> Inbound::own_addresses() const {
    const auto bus = bus_.lock();
    return bus ? subscription_.addresses(bus->addresser()) : std::vector<std::string>();
}

void Inbound::report(std::optional<CallFailure> obstacle) {
    const bool ready =
        !links_.empty() && std::ranges::all_of(links_, [](const auto& link) { return link && link->open; });
    tell(ready, std::move(obstacle));
}

}  // namespace aprotic::driver::bus
