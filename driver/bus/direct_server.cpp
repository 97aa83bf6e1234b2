#include <aprotic/driver/bus/direct_server.hpp>

#include <algorithm>
#include <utility>

#include <fmt/core.h>

#include <aprotic/driver/bus/bus.hpp>
#include <aprotic/driver/bus/outbound.hpp>

namespace aprotic::driver::bus {
namespace {

codec::ErrorCondition refusal(std::string_view condition, std::string text) {
    return {codec::Symbol(condition), std::move(text), {}};
}

}  // namespace

/// One client's connection.
struct DirectServer::Guest final : engine::ConnectionHandler {
    explicit Guest(std::weak_ptr<DirectServer> owner) : server(std::move(owner)) {}

    void on_open(engine::Connection& connection) override {
        const auto alive = server.lock();
        if (alive && !alive->shut_)
            alive->guests_.push_back(connection);
        else
            connection.close();
    }
    void on_receiver_requested(engine::Connection&, engine::LinkRequest request) override {
        if (const auto alive = server.lock()) alive->take_requests(std::move(request));
    }
    void on_sender_requested(engine::Connection& connection, engine::LinkRequest request) override {
        if (const auto alive = server.lock()) alive->make_reply_node(connection, std::move(request));
    }
    void on_close(engine::Connection& connection, const std::optional<engine::Failure>&) override {
        const auto alive = server.lock();
        if (!alive) return;
        std::erase(alive->guests_, connection);
        if (const auto bus = alive->bus_.lock()) bus->rest();
    }

    std::weak_ptr<DirectServer> server;
};

/// A node that a client asked for, and the link on which it gets what is sent there.
struct DirectServer::ReplyNode final : engine::SenderHandler {
    ReplyNode(std::weak_ptr<DirectServer> owner, std::string address, std::string host)
        : server(std::move(owner)), name(std::move(address)), client(std::move(host)) {}

    void on_close(engine::Sender&, const std::optional<engine::Failure>&) override {
        sender = {};
        if (const auto alive = server.lock()) alive->reply_nodes_.erase(name);
    }

    std::weak_ptr<DirectServer> server;
    const std::string name;
    const std::string client;
    engine::Sender sender;
};

/// One client's way to one address of a server.
struct DirectServer::RequestLink final : engine::ReceiverHandler, std::enable_shared_from_this<RequestLink> {
    RequestLink(std::weak_ptr<DirectServer> owner, std::weak_ptr<Place> whose, std::string to)
        : server(std::move(owner)), place(std::move(whose)), address(std::move(to)) {}

    void on_message(engine::Receiver&, engine::Delivery& delivery) override;
    void on_drained(engine::Receiver&) override;
    void on_close(engine::Receiver&, const std::optional<engine::Failure>&) override {
        receiver = {};
        if (const auto alive = server.lock()) alive->link_gone(shared_from_this());
    }

    std::weak_ptr<DirectServer> server;
    std::weak_ptr<Place> place;
    const std::string address;
    engine::Receiver receiver;
    bool is_quiet = false;
};

/// A server, and who has a link to it.
struct DirectServer::Place {
    explicit Place(std::shared_ptr<Inbound> its_server)
        : server(std::move(its_server)), addresses(server->own_addresses()) {}

    bool serves(std::string_view address) const { return std::ranges::find(addresses, address) != addresses.end(); }

    const std::shared_ptr<Inbound> server;
    const std::vector<std::string> addresses;
    std::vector<std::shared_ptr<RequestLink>> links;
    bool is_draining = false;

    void check_quiet() const {
        if (is_draining && std::ranges::all_of(links, &RequestLink::is_quiet)) server->quiet();
    }
};

void DirectServer::RequestLink::on_message(engine::Receiver&, engine::Delivery& delivery) {
    const auto to = place.lock();
    // Dropped here, it is released.
    if (to) to->server->take(std::move(delivery));
}

void DirectServer::RequestLink::on_drained(engine::Receiver&) {
    is_quiet = true;
    if (const auto to = place.lock()) to->check_quiet();
}

DirectServer::DirectServer(Bus& bus) : bus_(bus.weak_from_this()) {}

// ---- servers -------------------------------------------------------------------------------------------------------

void DirectServer::add(std::shared_ptr<Inbound> server) {
    const auto bus = bus_.lock();
    if (!bus || shut_) return;
    auto place = std::make_shared<Place>(std::move(server));
    for (const auto& other : places_) {
        const auto common = std::ranges::find_if(
            place->addresses, [&](const auto& address) { return !other->is_draining && other->serves(address); });
        if (common == place->addresses.end()) continue;
        CallFailure failure;
        failure.code = Errc::invalid_target;
        failure.address = *common;
        failure.text = fmt::format(
            "'{}' has a server on this transport; without a broker each further one needs a transport, and a port, of "
            "its own",
            *common);
        place->server->tell(false, std::move(failure));
        return;
    }
    places_.push_back(place);
    if (is_listening_)
        tell_listening(*place);
    else if (!is_waiting_)
        listen();
}

void DirectServer::tell_listening(Place& place) { place.server->tell(true, {}); }

void DirectServer::listen() {
    const auto bus = bus_.lock();
    if (!bus || shut_ || is_listening_) return;
    auto listening = bus->listen([weak = weak_from_this()] {
        const auto alive = weak.lock();
        const bool welcome = alive && !alive->shut_;
        return std::shared_ptr<engine::ConnectionHandler>(welcome ? std::make_shared<Guest>(weak) : nullptr);
    });
    if (!listening) {
        listen_later(listening.error());
        return;
    }
    listener_ = std::move(*listening);
    is_listening_ = true;
    if (bus->options().log)
        bus->options().log({LogLevel::info,
                            "listening",
                            "listening at " + listener_.address().to_string(),
                            {{"host", listener_.address().to_string()}}});
    for (const auto& place : places_) tell_listening(*place);
}

void DirectServer::listen_later(const engine::Failure& why) {
    const auto bus = bus_.lock();
    if (!bus) return;
    CallFailure failure;
    failure.code = Errc::unreachable;
    failure.text = fmt::format("{}; it is tried again every link_retry_delay", why.message());
    if (bus->options().log) bus->options().log({LogLevel::warning, "listen_failed", failure.text, {}});
    for (const auto& place : places_) place->server->tell(false, failure);
    is_waiting_ = true;
    bus->reactor().start_timer(bus->reactor().now() + bus->options().link_retry_delay, [weak = weak_from_this()] {
        const auto alive = weak.lock();
        if (!alive) return;
        alive->is_waiting_ = false;
        if (!alive->places_.empty()) alive->listen();
    });
}

std::shared_ptr<DirectServer::Place> DirectServer::find(const Inbound& server) const {
    const auto at = std::ranges::find_if(places_, [&](const auto& place) { return place->server.get() == &server; });
    return at == places_.end() ? nullptr : *at;
}

void DirectServer::drain(const Inbound& server) {
    const auto place = find(server);
    if (!place) return;
    place->is_draining = true;
    for (const auto& link : place->links)
        if (link->receiver) link->receiver.drain();
    place->check_quiet();
}

void DirectServer::remove(const Inbound& server) {
    const auto place = find(server);
    if (!place) return;
    std::erase(places_, place);
    for (const auto& link : place->links)
        if (link->receiver) std::exchange(link->receiver, {}).close();
    const bool anybody = std::ranges::any_of(places_, [](const auto& each) { return !each->is_draining; });
    if (!anybody && std::exchange(is_listening_, false)) listener_ = {};
}

void DirectServer::shut_down() {
    if (std::exchange(shut_, true)) return;
    listener_ = {};
    places_.clear();
    reply_nodes_.clear();
    for (const auto& connection : std::exchange(guests_, {})) connection.close();
}

// ---- clients -------------------------------------------------------------------------------------------------------

void DirectServer::take_requests(engine::LinkRequest request) {
    const auto bus = bus_.lock();
    if (!bus || shut_) return;
    const auto address = request.address();
    const auto place = std::ranges::find_if(
        places_, [&](const auto& each) { return address && !each->is_draining && each->serves(*address); });
    if (place == places_.end()) {
        request.refuse(refusal(codec::condition::not_found,
                               address ? "no server has the address '" + *address + "'" : "an address is needed"));
        return;
    }
    const auto link = std::make_shared<RequestLink>(weak_from_this(), *place, *address);
    (*place)->links.push_back(link);
    const auto others = std::ranges::count((*place)->links, *address, &RequestLink::address);
    const auto part = (*place)->server->credit() / static_cast<std::uint32_t>(others);
    link->receiver = request.accept_receiver({.credit = std::max<std::uint32_t>(part, 1)}, link);
    share_credit(**place, *address);
}

void DirectServer::share_credit(const Place& place, const std::string& address) {
    const auto bus = bus_.lock();
    const auto count = std::ranges::count(place.links, address, &RequestLink::address);
    if (!bus || count == 0 || place.is_draining) return;
    const auto part = place.server->credit() / static_cast<std::uint32_t>(count);
    for (const auto& link : place.links)
        if (link->address == address && link->receiver) link->receiver.set_credit(std::max<std::uint32_t>(part, 1));
}

void DirectServer::link_gone(const std::shared_ptr<RequestLink>& link) {
    const auto place = link->place.lock();
    if (!place) return;
    std::erase(place->links, link);
    place->check_quiet();
    share_credit(*place, link->address);
}

void DirectServer::make_reply_node(const engine::Connection& connection, engine::LinkRequest request) {
    const auto bus = bus_.lock();
    if (!bus || shut_) return;
    if (!request.wants_dynamic()) {
        request.refuse(refusal(codec::condition::not_found,
                               "there are requests to send to here, and replies to "
                               "receive from a dynamic node"));
        return;
    }
    const auto node =
        std::make_shared<ReplyNode>(weak_from_this(), "reply/" + bus->random_id(), connection.peer_name());
    engine::SenderOptions options;
    options.link.source = request.attach().source.value_or(codec::Source());
    options.link.source->address = node->name;
    options.link.source->dynamic = true;
    options.queue_bytes_max = bus->options().send_queue_bytes_max;
    reply_nodes_.emplace(node->name, node);
    node->sender = request.accept_sender(std::move(options), node);
}

void DirectServer::send(const LetterPtr& letter) {
    const auto bus = bus_.lock();
    if (!bus) return;
    const auto at = reply_nodes_.find(letter->address);
    if (at == reply_nodes_.end()) {
        bus->end(letter, bus->failure_of(*letter, Errc::not_sent,
                                         fmt::format("'{}' has gone with the client that asked", letter->address)));
        return;
    }
    hand_over(*bus, letter, at->second->sender, {.host = at->second->client});
}

}  // namespace aprotic::driver::bus
