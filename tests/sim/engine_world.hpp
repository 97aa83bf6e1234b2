#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include <fmt/format.h>

#include <aprotic/engine/engine.hpp>
#include <aprotic/engine/io/pump.hpp>
#include <aprotic/engine/suspended_link.hpp>

#include "sim/world.hpp"

// Two engines, with nothing above them but the pump: deliveries in parts both ways, suspended and resumed links, every
// settlement mode, drains, windows of one frame. Whatever happens, what was sent arrives, and how often is known.

namespace aprotic::sim::engines {

using namespace engine;

/// One direction of messages between the two, over all the lives of its link.
struct Route {
    std::string name;
    std::size_t index = 0;
    std::size_t sender = 0;  ///< side
    std::size_t session = 0;
    codec::SenderSettleMode snd_mode = codec::SenderSettleMode::mixed;
    codec::ReceiverSettleMode rcv_mode = codec::ReceiverSettleMode::first;
    bool resumable = false;
    std::size_t stream_window = 0;
    std::uint64_t parts_one_in = 0;  ///< messages that are sent in parts
    std::uint64_t presettled_one_in = 0;
    std::uint32_t credit = 1;
    std::size_t ahead = 1;  ///< messages handed to the engine at once
    bool keeps = true;      ///< the receiver may be slow to answer

    std::set<std::uint64_t> due;  ///< not sent yet, or to be sent again
};

struct Known {
    std::size_t route = 0;
    std::size_t size = 0;
    bool finished = false;
    std::size_t attempts = 0;  // sent, or perhaps sent, anew
    std::size_t receipts = 0;
    std::size_t returned = 0;  // released by the receiver
    std::size_t unsure = 0;    // received over a link whose end may have lost the answer
    std::size_t consumed = 0;
    bool doubtful = false;  // sent settled on a link that was lost
};

/// A message on its way out.
struct Outgoing {
    std::uint64_t number = 0;
    std::string tag;
    bool settled = false;
    std::string left;  // parts that are still to be appended
    bool in_parts = false;
    bool open = false;
    bool done = false;  // its outcome is known, and perhaps not settled
};

/// A message that came and is not over.
struct Incoming {
    std::uint64_t number = 0;
    std::string tag;
    std::string text;  // of parts
    bool whole = false;
    bool answered = false;
    bool counted = false;  // as unsure already
};

class EngineWorld;

/// One end of one route in one connection.
struct LinkEnd {
    Route* route = nullptr;
    bool sends = false;
    bool up = false;
    bool detached = false;
    std::map<DeliveryId, Outgoing> outgoing;
    std::map<DeliveryId, Incoming> incoming;
    std::vector<std::uint64_t> sent_settled;
    std::uint64_t last_order = 0;
};

/// What an end remembers while its link is away.
struct Memory {
    std::shared_ptr<SuspendedLink> suspended;
    std::map<std::string, Outgoing> outgoing;  // by tag
    std::map<std::string, Incoming> incoming;
    bool busy = false;  // a link of this route is there on this side
};

/// One side of one connection.
class Station final : public io::Pump::Client, public std::enable_shared_from_this<Station> {
public:
    Station(EngineWorld& world, std::size_t side) : world_(world), side_(side) {}

    void start(std::unique_ptr<Stream> stream, const ConnectionOptions& options);
    bool ended() const { return ended_; }
    void on_event(Event& event) override;
    void on_events_done() override {}
    void on_finished() override;

    void attach_all();
    void suspend(Route& route, bool closed);
    void end_session(std::size_t index);
    void close() {
        if (pump_) pump_->engine().close();
        wake();
    }
    void cut() {
        if (pump_) pump_->cut(std::make_error_code(std::errc::connection_aborted));
    }
    void drop() { pump_.reset(); }
    void drain(Route& route);
    void touch_credit();
    bool at_rest() const;
    void check_rest(const WireObserver& observer) const;
    std::size_t links() const { return links_.size(); }

private:
    template <class E>
    void on(E&) {}
    void on(ConnectionOpened&);
    void on(ConnectionEnded&);
    void on(SessionOpened&);
    void on(SessionEnded&);
    void on(LinkRequested&);
    void on(LinkOpened&);
    void on(LinkDetaching&);
    void on(LinkDetached&);
    void on(LinkFlowed&);
    void on(DeliveryReceived&);
    void on(DeliveryUpdated&);

    LinkOptions options_for(Route& route, bool sends) const;
    void add(LinkId id, Route& route, bool sends);
    void opened(LinkId id);
    void fill(LinkId id);
    void send(LinkId id, LinkEnd& end, std::uint64_t number);
    void append(DeliveryId id, Outgoing& message);
    void updated(LinkEnd& end, const DeliveryUpdated& event);
    void again(Outgoing& message);
    void received(LinkId link, LinkEnd& end, DeliveryId id, Incoming& message, bool settled);
    void answer(LinkId link, DeliveryId id, std::uint64_t how);
    void grant(LinkId link, LinkEnd& end);
    void gone(LinkEnd& end, const LinkDetached& event);
    Engine& engine() { return pump_->engine(); }
    void wake() {
        if (pump_) pump_->wake();
    }
    Known& known(std::uint64_t number);

    EngineWorld& world_;
    std::size_t side_;
    std::shared_ptr<io::Pump> pump_;
    std::map<std::size_t, SessionId> sessions_;  // those we began, by index
    std::map<LinkId, LinkEnd> links_;
    bool opened_ = false;
    bool ended_ = false;
};

class EngineWorld final : public World {
public:
    explicit EngineWorld(const RunOptions& its_options);
    ~EngineWorld() override;

    void start() override { connect(); }

    void connect();
    void ended(std::size_t side);

    void disturb() override;

    bool is_done() const override;
    std::string missing() const override;

    void check_done() override;

    void close() override;
    bool is_closed() const override { return stations_[0]->ended() && stations_[1]->ended(); }

    using World::after;
    using World::calm;
    using World::draw;
    using World::prng;
    using World::reactor;
    using World::say;
    using World::violated;

    std::vector<Route>& routes() { return routes_; }
    Route* route(const std::string& name);
    Memory& memory(std::size_t side, const Route& route) { return memories_[side][route.index]; }
    Known& known(std::uint64_t number) { return known_[number]; }
    bool knows(std::uint64_t number) const { return known_.contains(number); }
    std::string next_tag(std::uint64_t number) { return fmt::format("{}.{}", number, ++last_tag_); }
    std::size_t sessions() const { return sessions_; }
    bool closing() const { return closing_; }

private:
    void make_route(std::size_t index);

    ConnectionOptions options_[2];
    std::vector<Route> routes_;
    std::map<std::size_t, Memory> memories_[2];
    std::map<std::uint64_t, Known> known_;
    std::shared_ptr<Station> stations_[2];
    std::vector<std::shared_ptr<Station>> old_;
    std::size_t sessions_ = 1;
    std::uint64_t last_number_ = 0;
    std::uint64_t last_tag_ = 0;
    bool closing_ = false;
};

}  // namespace aprotic::sim::engines
