#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <aprotic/driver/bus/inbound.hpp>
#include <aprotic/driver/bus/letter.hpp>
#include <aprotic/engine/container.hpp>

namespace aprotic::driver::bus {

/// Where clients reach servers without anybody between: listens while there are servers, takes links to their addresses
/// and makes the nodes that replies come back on. Nothing is queued: a request is with its server, or it was not taken.
/// Reactor's thread only.
class DirectServer final : public std::enable_shared_from_this<DirectServer> {
public:
    explicit DirectServer(Bus& bus);

    void add(std::shared_ptr<Inbound> server);
    /// Takes the credit for a server back, and calls Inbound::quiet when nothing is on its way any more.
    void drain(const Inbound& server);
    /// Closes the links to a server.
    void remove(const Inbound& server);
    /// Sends a reply or heartbeat to the node that its address names.
    void send(const LetterPtr& letter);
    void shut_down();
    bool has_guests() const noexcept { return !guests_.empty(); }

private:
    struct Guest;
    struct ReplyNode;
    struct RequestLink;
    struct Place;

    void listen();
    void listen_later(const engine::Failure& why);
    void tell_listening(Place& place);
    std::shared_ptr<Place> find(const Inbound& server) const;
    void take_requests(engine::LinkRequest request);
    void make_reply_node(const engine::Connection& connection, engine::LinkRequest request);
    void share_credit(const Place& place, const std::string& address);
    void link_gone(const std::shared_ptr<RequestLink>& link);

    const std::weak_ptr<Bus> bus_;
    engine::Listener listener_;
    bool is_listening_ = false;
    bool is_waiting_ = false;  ///< to listen again
    bool shut_ = false;
    std::vector<std::shared_ptr<Place>> places_;
    std::vector<engine::Connection> guests_;
    std::map<std::string, std::shared_ptr<ReplyNode>, std::less<>> reply_nodes_;
};

}  // namespace aprotic::driver::bus
