#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include <fmt/format.h>

#include <aprotic/codec/message.hpp>
#include <aprotic/codec/message_view.hpp>
#include <aprotic/engine/engine.hpp>
#include <aprotic/engine/io/pump.hpp>
#include <aprotic/engine/suspended_link.hpp>

#include "sim/world.hpp"

// Two engines, with nothing above them but the pump: deliveries in parts both ways, suspended and resumed links, every
// settlement mode, drains, windows of one frame. Whatever happens, what was sent arrives, and how often is known.

namespace aprotic::sim {
namespace {

using namespace std::chrono_literals;
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
    Station(EngineWorld& world, std::size_t side, std::size_t number) : world_(world), side_(side), number_(number) {}

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
    std::size_t number_;
    std::shared_ptr<io::Pump> pump_;
    std::map<std::size_t, SessionId> sessions_;  // those we began, by index
    std::map<LinkId, LinkEnd> links_;
    bool opened_ = false;
    bool ended_ = false;
};

class EngineWorld final : public World {
public:
    explicit EngineWorld(const RunOptions& its_options) : World(its_options) {
        for (auto& made : options_) made = draw_options("engine");
        const std::size_t routes = prng.between(1, 4);
        sessions_ = prng.between(1, 2);
        for (std::size_t i = 0; i < routes; ++i) make_route(i);
    }
    ~EngineWorld() override {
        end();
        for (const auto& station : stations_)
            if (station) station->drop();
        for (const auto& station : old_) station->drop();
        reactor.settle();
    }

    void start() override { connect(); }

    void connect() {
        if (closing_ || (stations_[0] && !stations_[0]->ended())) return;
        // What is left of the last connection at the other side goes first, or its links would be stolen.
        if (stations_[1] && !stations_[1]->ended()) {
            stations_[1]->cut();
            return after(1ms, [this] { connect(); });
        }
        auto joined = join(Address{.host = "other", .port = 5672});
        if (!joined) {
            say("refused");
            return after(10ms + draw(500ms), [this] { connect(); });
        }
        say("connect");
        ++connection_;
        for (std::size_t side : {0U, 1U}) {
            if (stations_[side]) old_.push_back(stations_[side]);
            stations_[side] = std::make_shared<Station>(*this, side, connection_);
        }
        std::erase_if(old_, [](const auto& station) { return station.use_count() == 1; });
        stations_[0]->start(std::move(joined->first), options_[0]);
        stations_[1]->start(std::move(joined->second), options_[1]);
    }
    void ended(std::size_t side) {
        if (side != 0 || closing_) return;
        after(calm ? Duration(10ms) : draw(1s), [this] { connect(); });
    }

    void disturb() override {
        const auto& station = stations_[prng.below(2)];
        Route& route = routes_[prng.below(routes_.size())];
        if (!station || station->ended()) return;
        switch (prng.below(8)) {
            case 0: return station->close();
            case 1: return station->end_session(prng.below(sessions_));
            case 2: return station->drain(route);
            default: return station->suspend(route, !route.resumable);
        }
    }

    bool is_done() const override {
        for (const auto& [number, known] : known_)
            if (!known.finished) return false;
        for (const auto& station : stations_)
            if (!station || station->ended() || station->links() != routes_.size() || !station->at_rest()) return false;
        // A flow that is still on its way is nobody's fault.
        return true;
    }
    std::string missing() const override {
        std::string text;
        for (const auto& [number, known] : known_) {
            if (!known.finished) text += fmt::format("message {} on {}; ", number, routes_[known.route].name);
        }
        for (const auto& station : stations_) {
            if (!station) continue;
            if (const auto observer = observers.back().lock()) text += observer->under_way();
            text += fmt::format("{} links{}{}; ", station->links(), station->ended() ? ", ended" : "",
                                station->at_rest() ? "" : ", not at rest");
        }
        return text;
    }

    void check_done() override {
        // Every receiver says once more what it grants; then nothing is under way.
        for (const auto& station : stations_) station->touch_credit();
        const Instant end = reactor.now() + 1s;
        while (reactor.now() < end) reactor.run_for(100ms);
        const auto observer = observers.back().lock();
        if (observer && !stations_[0]->ended() && !observer->closing()) {
            observer->check_rest();
            for (const auto& station : stations_) station->check_rest(*observer);
        }
        for (const auto& [number, known] : known_) {
            const Route& route = routes_[known.route];
            if (known.consumed == 0 && !known.doubtful) violated(fmt::format("message {} is lost", number));
            std::size_t most = known.attempts + known.returned;
            // A receiver that settles second is told of nothing twice as long as both remember. [2.6.13]
            if (!route.resumable || route.rcv_mode == codec::ReceiverSettleMode::first) most += known.unsure;
            if (known.receipts > most) {
                violated(fmt::format("message {} on {} came {} times: {} sent, {} returned, {} unsure", number,
                                     route.name, known.receipts, known.attempts, known.returned, known.unsure));
            }
        }
    }

    void close() override {
        closing_ = true;
        stations_[prng.below(2)]->close();
        if (prng.one_in(2)) stations_[prng.below(2)]->close();
    }
    bool is_closed() const override { return stations_[0]->ended() && stations_[1]->ended(); }

    using World::after;
    using World::calm;
    using World::draw;
    using World::prng;
    using World::reactor;
    using World::say;
    using World::violated;

    std::vector<Route>& routes() { return routes_; }
    Route* route(const std::string& name) {
        for (Route& route : routes_)
            if (route.name == name) return &route;
        return nullptr;
    }
    Memory& memory(std::size_t side, const Route& route) { return memories_[side][route.index]; }
    Known& known(std::uint64_t number) { return known_[number]; }
    bool knows(std::uint64_t number) const { return known_.contains(number); }
    std::string next_tag(std::uint64_t number) { return fmt::format("{}.{}", number, ++last_tag_); }
    std::size_t sessions() const { return sessions_; }
    bool closing() const { return closing_; }

private:
    void make_route(std::size_t index) {
        Route route;
        route.index = index;
        route.name = fmt::format("route {}", index);
        route.sender = prng.below(2);
        route.session = prng.below(sessions_);
        route.snd_mode = static_cast<codec::SenderSettleMode>(prng.below(3));
        if (prng.one_in(3)) route.rcv_mode = codec::ReceiverSettleMode::second;
        route.resumable = prng.one_in(2);
        if (prng.one_in(3)) route.stream_window = prng.between(1, 5000);
        if (prng.one_in(2)) route.parts_one_in = prng.between(1, 4);
        if (prng.one_in(2)) route.presettled_one_in = prng.between(2, 5);
        route.credit = static_cast<std::uint32_t>(prng.one_in(3) ? 1 : prng.between(2, 30));
        route.ahead = prng.between(1, 10);
        route.keeps = !prng.one_in(3);
        const std::size_t messages = prng.between(2, 12);
        const std::uint64_t large = prng.between(2, 20);
        const std::size_t largest = prng.one_in(16) ? 40'000 : 3'000;
        for (std::size_t i = 0; i < messages; ++i) {
            const std::uint64_t number = ++last_number_;
            known_[number] = {.route = index, .size = prng.below(prng.one_in(large) ? largest : 200)};
            route.due.insert(number);
        }
        routes_.push_back(std::move(route));
    }

    ConnectionOptions options_[2];
    std::vector<Route> routes_;
    std::map<std::size_t, Memory> memories_[2];
    std::map<std::uint64_t, Known> known_;
    std::shared_ptr<Station> stations_[2];
    std::vector<std::shared_ptr<Station>> old_;
    std::size_t sessions_ = 1;
    std::size_t connection_ = 0;
    std::uint64_t last_number_ = 0;
    std::uint64_t last_tag_ = 0;
    bool closing_ = false;
};

Known& Station::known(std::uint64_t number) { return world_.known(number); }

// --- the connection ------------------------------------------------------------------------------------------------

void Station::start(std::unique_ptr<Stream> stream, const ConnectionOptions& options) {
    const auto role = side_ == 0 ? EngineRole::client : EngineRole::server;
    Engine made(role, options, world_.reactor.now(), world_.prng.next(), true);
    pump_ = std::make_shared<io::Pump>(world_.reactor, std::move(made), std::move(stream),
                                       std::weak_ptr<io::Pump::Client>(shared_from_this()));
    if (side_ == 0) {
        static_cast<void>(engine().open());
        attach_all();  // pipelined
    }
    wake();
}

void Station::on_event(Event& event) {
    if (ended_) return world_.violated("an event after the last one");
    std::visit([this](auto& e) { on(e); }, event);
}

void Station::on(ConnectionOpened&) {
    opened_ = true;
    if (side_ == 1) static_cast<void>(engine().open());
}

void Station::on(ConnectionEnded& e) {
    ended_ = true;
    world_.say(fmt::format("side {} ended: {}", side_, e.failure ? e.failure->message() : "in order"));
    if (!links_.empty()) world_.violated("a connection ends before its links");
}

void Station::on_finished() {
    if (!ended_) world_.violated("a connection ends without an event");
    world_.ended(side_);
}

void Station::on(SessionOpened&) {}

void Station::on(SessionEnded& e) {
    std::erase_if(sessions_, [&](const auto& entry) { return entry.second == e.session; });
    if (side_ == 0) {
        world_.after(world_.draw(300ms), [self = shared_from_this()] { self->attach_all(); });
    }
}

void Station::end_session(std::size_t index) {
    const auto found = sessions_.find(index);
    if (found == sessions_.end()) return;
    world_.say("a session ends");
    static_cast<void>(engine().end(found->second));
    wake();
}

// --- links ---------------------------------------------------------------------------------------------------------

LinkOptions Station::options_for(Route& route, bool sends) const {
    LinkOptions options;
    options.name = route.name;
    options.role = sends ? codec::Role::sender : codec::Role::receiver;
    options.snd_settle_mode = route.snd_mode;
    options.rcv_settle_mode = route.rcv_mode;
    options.source.emplace().address = route.name;
    codec::Target target;
    target.address = route.name;
    options.target = codec::AttachTarget(std::move(target));
    if (!sends) options.stream_window = route.stream_window;
    options.resumable = route.resumable;
    options.suspended = world_.memory(side_, route).suspended;
    return options;
}

/// The client asks for all links, those that were lost again.
void Station::attach_all() {
    if (ended_ || !pump_ || world_.closing()) return;
    bool missing = false;
    for (Route& route : world_.routes()) {
        if (world_.memory(side_, route).busy) continue;
        if (!sessions_.contains(route.session)) {
            const auto begun = engine().begin();
            if (!begun) continue;
            sessions_.emplace(route.session, *begun);
        }
        const bool sends = route.sender == side_;
        const auto id = engine().attach(sessions_.at(route.session), options_for(route, sends));
        if (id) {
            add(*id, route, sends);
        } else {
            missing = true;
        }
    }
    if (missing) world_.after(20ms + world_.draw(200ms), [self = shared_from_this()] { self->attach_all(); });
    wake();
}

void Station::add(LinkId id, Route& route, bool sends) {
    Memory& memory = world_.memory(side_, route);
    memory.busy = true;
    LinkEnd& end = links_[id];
    end.route = &route;
    end.sends = sends;
    const auto find = [&](const std::string& tag) { return engine().find_delivery(id, codec::DeliveryTag(tag)); };
    for (auto& [tag, message] : memory.outgoing) {
        const auto delivery = find(tag);
        if (delivery) {
            end.outgoing.emplace(*delivery, message);
        } else {
            world_.violated(fmt::format("the sender has forgotten delivery {}", tag));
        }
    }
    for (auto& [tag, message] : memory.incoming) {
        if (const auto delivery = find(tag)) end.incoming.emplace(*delivery, message);
    }
    if (sends) return;
    static_cast<void>(engine().set_credit(id, route.credit));
}

void Station::on(LinkRequested& e) {
    Route* const route = world_.route(e.remote.name);
    if (route == nullptr) return world_.violated("a link that nobody knows is asked for");
    const bool sends = codec::opposite(e.remote.role) == codec::Role::sender;
    if (sends != (route->sender == side_)) return world_.violated("a link is asked for the wrong way round");
    if (world_.memory(side_, *route).busy) {
        static_cast<void>(engine().refuse(e.link, {codec::Symbol(codec::condition::resource_locked), {}, {}}));
        return wake();
    }
    if (!engine().accept(e.link, options_for(*route, sends))) return;
    add(e.link, *route, sends);
    opened(e.link);
    wake();
}

void Station::on(LinkOpened& e) { opened(e.link); }

void Station::opened(LinkId id) {
    LinkEnd& end = links_.at(id);
    end.up = true;
    Memory& memory = world_.memory(side_, *end.route);
    memory.suspended.reset();
    memory.outgoing.clear();
    memory.incoming.clear();
    world_.say(fmt::format("{} is open at side {}", end.route->name, side_));
    // What was left unanswered when the link went.
    for (auto& [delivery, message] : end.incoming) {
        if (message.answered) continue;
        world_.after(world_.draw(1s),
                     [self = shared_from_this(), id, delivery = delivery] { self->answer(id, delivery, 0); });
    }
    if (end.sends) fill(id);
    if (!end.sends) static_cast<void>(engine().set_credit(id, end.route->credit));
}

void Station::suspend(Route& route, bool closed) {
    for (auto& [id, end] : links_) {
        if (end.route != &route || !end.up) continue;
        world_.say(fmt::format("{} is {}", route.name, closed ? "closed" : "suspended"));
        static_cast<void>(engine().detach(id, closed));
        end.up = false;
        return wake();
    }
}

void Station::on(LinkDetaching& e) {
    static_cast<void>(engine().detach(e.link, e.closed));
    const auto found = links_.find(e.link);
    if (found != links_.end()) found->second.up = false;
    wake();
}

void Station::on(LinkDetached& e) {
    const auto found = links_.find(e.link);
    if (found == links_.end()) return;  // refused by us
    LinkEnd end = std::move(found->second);
    links_.erase(found);
    world_.say(fmt::format("{} is detached at side {}{}", end.route->name, side_, e.closed ? ", closed" : ""));
    gone(end, e);
    if (side_ == 0) {
        world_.after(5ms + world_.draw(world_.calm ? Duration(50ms) : Duration(500ms)),
                     [self = shared_from_this()] { self->attach_all(); });
    }
}

/// What becomes of the messages of a link that has gone.
void Station::gone(LinkEnd& end, const LinkDetached& event) {
    Memory& memory = world_.memory(side_, *end.route);
    memory.busy = false;
    for (const std::uint64_t number : end.sent_settled) known(number).doubtful = true;
    // Refused, or lost before the peer answered: what was known before is known still.
    if (!end.up && memory.suspended && !event.suspended) return;
    if (event.refused) return;
    std::set<std::string> kept;
    if (event.suspended) {
        for (const auto& delivery : event.suspended->deliveries) kept.emplace(delivery.tag.text());
        memory.suspended = event.suspended;
        memory.outgoing.clear();
        memory.incoming.clear();
    }
    for (auto& [id, message] : end.outgoing) {
        if (kept.contains(message.tag)) {
            memory.outgoing.emplace(message.tag, message);
            continue;
        }
        Known& about = known(message.number);
        if (message.settled) {
            // Whether it has left is not known.
            about.doubtful = about.finished = true;
            continue;
        }
        // Never on the wire, or nobody can say: a receiver that has it may get it twice, unless both remember.
        if (!end.route->resumable || event.closed) ++about.unsure;
        again(message);
    }
    for (auto& [id, message] : end.incoming) {
        if (!message.whole) continue;
        if (kept.contains(message.tag)) memory.incoming.emplace(message.tag, message);
    }
}

void Station::again(Outgoing& message) { world_.routes()[known(message.number).route].due.insert(message.number); }

void Station::drain(Route& route) {
    for (auto& [id, end] : links_) {
        if (end.route != &route || end.sends || !end.up) continue;
        world_.say("drain");
        static_cast<void>(engine().drain(id));
        wake();
    }
}

void Station::on(LinkFlowed& e) {
    const auto found = links_.find(e.link);
    if (found == links_.end() || !found->second.up) return;
    if (found->second.sends) return fill(e.link);
    grant(e.link, found->second);
}

void Station::grant(LinkId link, LinkEnd& end) {
    const auto status = engine().status(link);
    if (!status || status->draining || !end.up) return;
    if (status->credit > end.route->credit) world_.violated("more credit than was granted");
    if (status->credit > end.route->credit / 2) return;
    static_cast<void>(engine().set_credit(link, world_.prng.one_in(5) ? 1 : end.route->credit));
    wake();
}

// --- sending -------------------------------------------------------------------------------------------------------

void Station::fill(LinkId id) {
    LinkEnd& end = links_.at(id);
    while (end.up && end.outgoing.size() < end.route->ahead && !end.route->due.empty()) {
        const std::uint64_t number = *end.route->due.begin();
        end.route->due.erase(end.route->due.begin());
        send(id, end, number);
    }
    wake();
}

void Station::send(LinkId id, LinkEnd& end, std::uint64_t number) {
    const Route& route = *end.route;
    Known& about = known(number);
    const codec::EncodedMessage message = codec::encode(codec::Message(message_text(number, about.size)));
    Outgoing entry;
    entry.number = number;
    entry.tag = world_.next_tag(number);
    SendOptions how;
    how.tag = codec::DeliveryTag(entry.tag);
    how.settled = route.presettled_one_in != 0 && world_.prng.one_in(route.presettled_one_in);
    entry.settled = route.snd_mode == codec::SenderSettleMode::settled ||
                    (route.snd_mode == codec::SenderSettleMode::mixed && how.settled);
    entry.in_parts = route.parts_one_in != 0 && world_.prng.one_in(route.parts_one_in);
    const auto delivery = entry.in_parts ? engine().begin_send(id, how) : engine().send(id, message, how);
    if (!delivery) {
        // The link is going and we have not heard of it yet.
        end.up = false;
        return again(entry);
    }
    ++about.attempts;
    world_.say(fmt::format("message {} goes as {}", number, entry.tag));
    Outgoing& placed = end.outgoing.emplace(*delivery, std::move(entry)).first->second;
    if (!placed.in_parts) return;
    placed.open = true;
    placed.left = message.octets().to_string();
    append(*delivery, placed);
}

void Station::append(DeliveryId id, Outgoing& message) {
    if (!message.open) return;
    if (!world_.calm && world_.prng.one_in(15)) {
        if (engine().abort_send(id)) {
            world_.say(fmt::format("{} is aborted", message.tag));
            message.open = false;
            again(message);
            --known(message.number).attempts;
            for (auto& [link, end] : links_) end.outgoing.erase(id);
            return wake();
        }
    }
    const std::size_t size = std::min<std::size_t>(message.left.size(), 1 + world_.prng.below(2000));
    if (size > 0 &&
        !engine().append(id, codec::ByteChain(codec::Bytes::copy_of(std::string_view(message.left).substr(0, size)))))
        world_.violated("a part cannot be sent");
    message.left.erase(0, size);
    if (message.left.empty()) {
        message.open = false;
        if (!engine().finish_send(id)) world_.violated("a message cannot be ended");
    }
    wake();
}

void Station::updated(LinkEnd& end, const DeliveryUpdated& event) {
    const auto found = end.outgoing.find(event.delivery);
    if (found == end.outgoing.end()) return world_.violated("news of a delivery that is over");
    Outgoing& message = found->second;
    if (event.wants_more) append(event.delivery, message);
    if (!end.outgoing.contains(event.delivery)) return;
    Known& about = known(message.number);
    const bool decided = event.state && codec::is_terminal(*event.state);
    if (event.aborted && !decided) {
        again(message);
    } else if (message.settled) {
        if (!event.settled) return;
        about.finished = true;
        end.sent_settled.push_back(message.number);
    } else if (decided) {
        const bool back = std::holds_alternative<codec::Released>(*event.state);
        world_.say(fmt::format("{} is {}", message.tag, back ? "released" : "accepted"));
        if (std::exchange(message.done, true)) {
            // Of a link that was on its way out when its outcome came: heard, and now it can be settled.
        } else if (back) {
            again(message);
        } else {
            if (about.finished) world_.violated(fmt::format("message {} is accepted twice", message.number));
            about.finished = true;
        }
        if (!event.settled && !engine().settle(event.delivery)) return;
    } else {
        if (event.settled) world_.violated(fmt::format("{} is settled without an outcome", message.tag));
        return;
    }
    end.outgoing.erase(event.delivery);
    wake();
}

// --- receiving -----------------------------------------------------------------------------------------------------

void Station::on(DeliveryReceived& e) {
    const auto found = links_.find(e.link);
    auto taken = engine().take(e.delivery);
    if (!taken || found == links_.end()) return;
    LinkEnd& end = found->second;
    Incoming& message = end.incoming[e.delivery];
    message.tag = std::string(taken->tag.text());
    message.text += taken->payload.to_string();
    if (!taken->complete) {
        world_.say(fmt::format("{} octets of {} received", taken->payload.size(), message.tag));
        return wake();
    }
    message.whole = true;
    received(e.link, end, e.delivery, message, taken->settled);
    const auto again = links_.find(e.link);
    if (again == links_.end()) return;
    if (taken->settled) again->second.incoming.erase(e.delivery);
    grant(e.link, again->second);
    wake();
}

void Station::received(LinkId link, LinkEnd& end, DeliveryId id, Incoming& message, bool settled) {
    const codec::ByteChain octets(codec::Bytes::copy_of(message.text));
    const auto number = read_message(codec::MessageView(octets).body_text().value_or(""));
    if (!number || !world_.knows(*number)) return world_.violated("a message is not what was sent");
    message.number = *number;
    message.text.clear();
    Known& about = known(*number);
    if (&world_.routes()[about.route] != end.route) world_.violated("a message came on another link");
    ++about.receipts;
    world_.say(fmt::format("{} received", message.tag));
    const auto dot = message.tag.find('.');
    const std::uint64_t order = std::stoull(message.tag.substr(dot + 1));
    if (order <= end.last_order) world_.violated("messages came out of order on " + end.route->name);
    end.last_order = order;
    if (settled) {
        ++about.consumed;
        return;
    }
    const std::uint64_t how = world_.prng.below(8);
    if (world_.calm || !end.route->keeps || how < 5) return answer(link, id, how == 0 && !world_.calm ? 1 : 0);
    world_.after(world_.draw(2s),
                 [self = shared_from_this(), link, id, how] { self->answer(link, id, how == 7 ? 2 : 0); });
}

void Station::answer(LinkId link, DeliveryId id, std::uint64_t how) {
    if (ended_ || !pump_) return;
    const auto found = links_.find(link);
    if (found == links_.end()) return;
    const auto entry = found->second.incoming.find(id);
    if (entry == found->second.incoming.end() || entry->second.answered) return;
    Incoming& message = entry->second;
    Known& about = known(message.number);
    if (how == 2) {
        // First the outcome, later the settlement.
        static_cast<void>(engine().update(id, codec::Accepted{}));
        ++about.consumed;
        ++about.unsure;
        world_.after(world_.draw(500ms), [self = shared_from_this(), link, id] { self->answer(link, id, 0); });
        return wake();
    }
    message.answered = true;
    if (how == 1) {
        static_cast<void>(engine().settle(id, codec::DeliveryState(codec::Released{})));
        ++about.returned;
    } else {
        static_cast<void>(engine().settle(id, codec::DeliveryState(codec::Accepted{})));
        ++about.consumed;
        ++about.unsure;
    }
    if (found->second.route->rcv_mode == codec::ReceiverSettleMode::first) found->second.incoming.erase(id);
    wake();
}

void Station::on(DeliveryUpdated& e) {
    const auto found = links_.find(e.link);
    if (found == links_.end()) return;
    LinkEnd& end = found->second;
    if (end.sends) {
        updated(end, e);
        if (links_.contains(e.link) && end.up) fill(e.link);
        return;
    }
    if (e.aborted || e.settled) end.incoming.erase(e.delivery);
}

// --- at rest -------------------------------------------------------------------------------------------------------

void Station::touch_credit() {
    for (auto& [id, end] : links_) {
        if (!end.sends) static_cast<void>(engine().set_credit(id, end.route->credit));
    }
    wake();
}

bool Station::at_rest() const {
    for (const auto& [id, end] : links_) {
        const auto status = pump_->engine().status(id);
        if (!end.up || !status || status->queued != 0 || status->unsettled != 0 || !end.outgoing.empty()) return false;
    }
    return true;
}

void Station::check_rest(const WireObserver& observer) const {
    for (const auto& [id, end] : links_) {
        const auto status = pump_->engine().status(id);
        const auto wire = observer.credit(end.route->name, end.route->sender);
        if (!status || !wire) continue;
        if (status->credit != *wire) {
            world_.violated(fmt::format("side {} of {} has credit {}, on the wire it is {}", side_, end.route->name,
                                        status->credit, *wire));
        }
        if (status->draining) world_.violated("a drain never ends");
    }
}

}  // namespace

std::unique_ptr<World> make_engine_world(const RunOptions& options) { return std::make_unique<EngineWorld>(options); }

}  // namespace aprotic::sim
