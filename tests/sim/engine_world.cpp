#include "sim/engine_world.hpp"

#include <utility>

#include <fmt/format.h>

namespace aprotic::sim {
namespace engines {

using namespace std::chrono_literals;

EngineWorld::EngineWorld(const RunOptions& its_options) : World(its_options) {
    for (auto& made : options_) made = draw_options("engine");
    const std::size_t routes = prng.between(1, 4);
    sessions_ = prng.between(1, 2);
    for (std::size_t i = 0; i < routes; ++i) make_route(i);
}

EngineWorld::~EngineWorld() {
    end();
    for (const auto& station : stations_)
        if (station) station->drop();
    for (const auto& station : old_) station->drop();
    reactor.settle();
}

void EngineWorld::connect() {
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
    for (std::size_t side : {0U, 1U}) {
        if (stations_[side]) old_.push_back(stations_[side]);
        stations_[side] = std::make_shared<Station>(*this, side);
    }
    std::erase_if(old_, [](const auto& station) { return station.use_count() == 1; });
    stations_[0]->start(std::move(joined->first), options_[0]);
    stations_[1]->start(std::move(joined->second), options_[1]);
}

void EngineWorld::ended(std::size_t side) {
    if (side != 0 || closing_) return;
    after(calm ? Duration(10ms) : draw(1s), [this] { connect(); });
}

void EngineWorld::disturb() {
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

bool EngineWorld::is_done() const {
    for (const auto& [number, known] : known_)
        if (!known.finished) return false;
    for (const auto& station : stations_)
        if (!station || station->ended() || station->links() != routes_.size() || !station->at_rest()) return false;
    // A flow that is still on its way is nobody's fault.
    return true;
}

std::string EngineWorld::missing() const {
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

void EngineWorld::check_done() {
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
            violated(fmt::format("message {} on {} came {} times: {} sent, {} returned, {} unsure", number, route.name,
                                 known.receipts, known.attempts, known.returned, known.unsure));
        }
    }
}

void EngineWorld::close() {
    closing_ = true;
    stations_[prng.below(2)]->close();
    if (prng.one_in(2)) stations_[prng.below(2)]->close();
}

Route* EngineWorld::route(const std::string& name) {
    for (Route& route : routes_)
        if (route.name == name) return &route;
    return nullptr;
}

void EngineWorld::make_route(std::size_t index) {
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

}  // namespace engines

std::unique_ptr<World> make_engine_world(const RunOptions& options) {
    return std::make_unique<engines::EngineWorld>(options);
}

}  // namespace aprotic::sim
