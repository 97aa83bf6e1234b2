#include <aprotic/driver/bus/inbound.hpp>

#include <algorithm>
#include <utility>

#include <fmt/core.h>

#include <aprotic/driver/bus/bus.hpp>
#include <aprotic/driver/bus/redirect.hpp>
#include <aprotic/driver/bus/termini.hpp>

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
    void on_close(engine::Receiver&, const std::optional<engine::Failure>& why) override { lost(why); }
    void lost(const std::optional<engine::Failure>& why);

    void close() {
        if (receiver) std::exchange(receiver, {}).close();
    }

    std::weak_ptr<Inbound> inbound;
    std::size_t index;
    engine::Receiver receiver;
    bool open = false;
    bool drained = false;
};

void Inbound::Link::lost(const std::optional<engine::Failure>& why) {
    const auto alive = owner();
    receiver = {};
    const bool was_open = std::exchange(open, false);
    if (!alive) return;
    alive->links_[index] = nullptr;
    if (alive->draining_) return alive->check_drained();
    const auto bus = alive->bus_.lock();
    if (!bus || !bus->is_up()) return;

    CallFailure failure;
    const bool alone = bus->peer_of_servers().profile().session_per_link;
    const bool refused = why && bus->peer_of_servers().was_refused(*why, was_open);
    failure.code = refused ? Errc::refused : Errc::not_sent;
    failure.address = alive->nodes_[index].address;
    failure.host = bus->host_name();
    if (why) failure.condition = why->condition;
    failure.text = fmt::format("the link to listen on '{}' at {} was {}; it is tried again every link_retry_delay{}",
                               failure.address, failure.host, refused ? "refused" : "closed by the peer",
                               redirection(failure.condition));
    if (!was_open) bus->peer_of_servers().forget_preparation(failure.address);
    bus->log(LogLevel::warning, "server_link_lost", failure.message(), {{"address", failure.address}});
    alive->report(std::move(failure));
    // In a session of its own from now on, it is told apart from others at once.
    const bool at_once = !alone && bus->peer_of_servers().profile().session_per_link;
    bus->reactor().start_timer(bus->reactor().now() + (at_once ? Duration::zero() : bus->options().link_retry_delay),
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
    nodes_.clear();
    for (auto& node : subscription_.nodes(bus->addresser()))
        if (std::ranges::find(nodes_, node.address, &NodeRef::address) == nodes_.end())
            nodes_.push_back(std::move(node));
    links_.assign(nodes_.size(), nullptr);
    for (std::size_t index = 0; index < links_.size(); ++index) attach(index);
}

void Inbound::attach(std::size_t index) {
    const auto bus = bus_.lock();
    if (!bus || !bus->is_up()) return;
    const auto link = std::make_shared<Link>(weak_from_this(), index);
    links_[index] = link;
    bus->peer_of_servers().prepare(nodes_[index], [link](const std::optional<engine::Failure>& why) {
        const auto alive = link->owner();
        if (!alive) return;
        if (why)
            link->lost(why);
        else
            alive->open(link);
    });
}

void Inbound::open(const std::shared_ptr<Link>& link) {
    const auto bus = bus_.lock();
    if (!bus || !bus->is_up()) return;
    const NodeRef& node = nodes_[link->index];
    engine::ReceiverOptions options;
    options.link = receiving_link(node, bus->peer_of_servers().profile(), bus->options(), bus->random_id());
    options.credit = subscription_.credit;
    link->receiver = bus->peer_of_servers().open_receiver(node.address, std::move(options), link);
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
            std::exchange(link, nullptr)->close();
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
        if (link) link->close();
    quiet();
}

std::vector<std::string> Inbound::own_addresses() const {
    const auto bus = bus_.lock();
    std::vector<std::string> addresses;
    if (bus)
        for (auto& node : subscription_.nodes(bus->addresser())) addresses.push_back(std::move(node.address));
    return addresses;
}

void Inbound::report(std::optional<CallFailure> obstacle) {
    const bool ready =
        !links_.empty() && std::ranges::all_of(links_, [](const auto& link) { return link && link->open; });
    tell(ready, std::move(obstacle));
}

}  // namespace aprotic::driver::bus
