#include <aprotic/driver/bus/direct_client.hpp>

#include <algorithm>
#include <utility>

#include <fmt/core.h>

#include <aprotic/driver/bus/bus.hpp>

namespace aprotic::driver::bus {
namespace {

double in_seconds(Duration duration) { return std::chrono::duration<double>(duration).count(); }

std::vector<LetterPtr> all_of(const std::map<std::uint64_t, LetterPtr>& letters) {
    std::vector<LetterPtr> found;
    for (const auto& [number, letter] : letters) found.push_back(letter);
    return found;
}

/// One copy of a fanout for each server, and what came of them.
struct Fanout {
    LetterPtr letter;
    std::size_t left = 0;
    std::size_t reached = 0;
    std::optional<CallFailure> failure{};

    void one_ended(Bus& bus, const Result<Json>& result) {
        if (result)
            ++reached;
        else if (!failure)
            failure = result.error();
        if (--left > 0) return;
        if (reached > 0)
            bus.end(letter, Json());
        else
            bus.end(letter, *failure);
    }
};

}  // namespace

DirectClient::DirectClient(Bus& bus, const std::vector<std::shared_ptr<Peer>>& peers) : bus_(bus), peers_(peers) {}

void DirectClient::route(const LetterPtr& letter) {
    letter->leave();
    letter->stage = Letter::Stage::waiting;
    for (const auto& peer : peers_)
        if (!peer->is_up()) peer->want();
    if (letter->kind == Letter::Kind::connect) {
        if (std::ranges::any_of(peers_, &Peer::is_up))
            bus_.end(letter, Json());
        else
            connects_.emplace(letter->number, letter);
        return;
    }
    if (letter->target->fanout) return fan_out(letter);

    Spread& spread = spreads_[letter->address];
    // Who refused the address a while ago may serve it by now; when nobody serves it, each letter asks anew.
    if (!spread.refusals.empty()) {
        const bool served =
            std::ranges::any_of(peers_, [&](const auto& peer) { return peer->find(letter->address) != nullptr; });
        std::erase_if(spread.refusals, [&](const auto& refusal) {
            return !served || bus_.reactor().now() - refusal.second.when >= bus_.options().link_retry_delay;
        });
    }
    const bool is_call = letter->kind == Letter::Kind::call;
    auto& waiting = is_call ? spread.calls : spread.others;
    // Most are taken at once.
    Peer* const free = waiting.empty() ? pick(spread, letter->address, is_call) : nullptr;
    if (free != nullptr) return give(letter, *free);
    waiting.emplace(letter->number, letter);
    pump(letter->address, spread);
    give_up(letter->address, spread);
}

void DirectClient::forget(const Letter& letter) {
    if (letter.peer || letter.stage != Letter::Stage::waiting) return;  // it is nowhere here
    connects_.erase(letter.number);
    const auto at = spreads_.find(letter.address);
    if (at == spreads_.end()) return;
    at->second.calls.erase(letter.number);
    at->second.others.erase(letter.number);
}

void DirectClient::pump(const std::string& address, Spread& spread) {
    pump(spread, address, spread.others, false);
    pump(spread, address, spread.calls, true);
}

void DirectClient::pump(Spread& spread, const std::string& address, std::map<std::uint64_t, LetterPtr>& letters,
                        bool calls) {
    while (!letters.empty()) {
        Peer* const peer = pick(spread, address, calls);
        if (peer == nullptr) return;
        const LetterPtr letter = letters.begin()->second;
        letters.erase(letters.begin());
        give(letter, *peer);
    }
}

void DirectClient::give(const LetterPtr& letter, Peer& peer) {
    letter->join(peer.shared_from_this(), peer.outbound(letter->address).choose(++picked_));
    peer.route(letter);
}

Peer* DirectClient::pick(const Spread& spread, const std::string& address, bool call) {
    Peer* best = nullptr;
    const Outbound* way = nullptr;
    for (const auto& peer : peers_) {
        if (!peer->is_up() || spread.refusals.contains(peer.get())) continue;
        const bool has_replies = !call || peer->open_replies();
        Outbound& outbound = peer->outbound(address);
        outbound.ensure_open();
        if (!has_replies || !outbound.is_ready() || (way != nullptr && !outbound.is_freer_than(*way))) continue;
        best = peer.get();
        way = &outbound;
    }
    return best;
}

void DirectClient::give_up(const std::string& address, Spread& spread) {
    if (spread.is_empty()) return;
    const bool hope = std::ranges::any_of(peers_, [&](const auto& peer) {
        return (!peer->is_turned_away() || peer->is_trying()) && !spread.refusals.contains(peer.get());
    });
    if (hope) return;
    auto letters = all_of(spread.others);
    std::ranges::copy(all_of(spread.calls), std::back_inserter(letters));
    const Spread why = std::exchange(spread, {});
    spreads_.erase(address);
    fail(letters, &why);
}

void DirectClient::fail(const std::vector<LetterPtr>& letters, const Spread* spread) {
    for (const auto& letter : letters)
        if (letter->stage != Letter::Stage::ended) bus_.end(letter, nobody(*letter, spread));
}

CallFailure DirectClient::nobody(const Letter& letter, const Spread* spread) const {
    if (spread != nullptr && !spread->refusals.empty()) {
        const auto& [peer, refusal] = *spread->refusals.begin();
        CallFailure failure = bus_.failure_of(
            letter, Errc::refused,
            spread->refusals.size() == 1 ? fmt::format("{} does not serve '{}'", peer->host_name(), letter.address)
                                         : fmt::format("none of {} servers serves '{}'; {} is one of them",
                                                       spread->refusals.size(), letter.address, peer->host_name()));
        failure.host = peer->host_name();
        failure.condition = refusal.why.condition;
        return failure;
    }
    const auto failed = std::ranges::find_if(peers_, [](const auto& peer) { return peer->last_failure().has_value(); });
    return bus_.no_connection(failed == peers_.end() ? *peers_.front() : **failed, letter);
}

CallFailure DirectClient::expired(const Letter& letter, Duration elapsed) const {
    const auto at = spreads_.find(letter.address);
    if (std::ranges::none_of(peers_, &Peer::is_up)) return nobody(letter, nullptr);
    std::string obstacles;
    for (const auto& peer : peers_) {
        const Outbound* const outbound = peer->find(letter.address);
        const bool refused = at != spreads_.end() && at->second.refusals.contains(peer.get());
        obstacles += fmt::format("{}{}: {}", obstacles.empty() ? "" : "; ", peer->host_name(),
                                 !peer->is_up()        ? "no connection"
                                 : refused             ? "does not serve it"
                                 : outbound == nullptr ? "the link was lost"
                                                       : outbound->obstacle());
    }
    if (letter.given_back > 0)
        return bus_.failure_of(letter, Errc::undeliverable,
                               fmt::format("servers gave the message for '{}' back {} times ({:.1f} s; {})",
                                           letter.address, letter.given_back, in_seconds(elapsed), obstacles));
    return bus_.failure_of(
        letter, Errc::not_sent,
        fmt::format("no server takes '{}' ({:.1f} s; {})", letter.address, in_seconds(elapsed), obstacles));
}

void DirectClient::on_up(const Peer& peer) {
    for (const auto& letter : all_of(std::exchange(connects_, {}))) bus_.end(letter, Json());
    std::vector<std::string> waiting;
    for (auto& [address, spread] : spreads_) {
        spread.refusals.erase(&peer);
        if (!spread.is_empty()) waiting.push_back(address);
    }
    for (const auto& address : waiting) on_ready(address);
}

bool DirectClient::has_hope() const {
    return std::ranges::any_of(peers_, [](const auto& peer) { return peer->is_up() || peer->is_trying(); });
}

void DirectClient::on_connect_failed() {
    const bool turned_away =
        std::ranges::all_of(peers_, [](const auto& peer) { return peer->is_turned_away() && !peer->is_trying(); });
    if (turned_away) fail(all_of(std::exchange(connects_, {})), nullptr);
    std::vector<std::string> addresses;
    for (const auto& [address, spread] : spreads_) addresses.push_back(address);
    const bool hope = has_hope();
    for (const auto& address : addresses) {
        const auto at = spreads_.find(address);
        if (at == spreads_.end()) continue;
        std::vector<LetterPtr> impatient;
        for (auto* const letters : {&at->second.others, &at->second.calls}) {
            if (hope) break;
            for (const auto& [number, letter] : *letters) {
                if (letter->retries == 0) impatient.push_back(letter);
                if (letter->retries > 0) --letter->retries;
            }
        }
        give_up(address, at->second);
        fail(impatient, nullptr);
    }
}

void DirectClient::on_ready(const std::string& address) {
    if (const auto at = spreads_.find(address); at != spreads_.end()) pump(address, at->second);
}

void DirectClient::on_unused(const std::string& address) {
    const auto at = spreads_.find(address);
    if (at != spreads_.end() && at->second.is_empty()) spreads_.erase(at);
}

void DirectClient::on_ready_for_replies() {
    std::vector<std::string> waiting;
    for (const auto& [address, spread] : spreads_)
        if (!spread.calls.empty()) waiting.push_back(address);
    for (const auto& address : waiting) on_ready(address);
}

void DirectClient::on_refused(const Peer& peer, const std::string& address, const engine::Failure& why) {
    const auto at = spreads_.find(address);
    if (at == spreads_.end()) return;
    at->second.refusals.insert_or_assign(&peer, Refusal{why, bus_.reactor().now()});
    give_up(address, at->second);
}

void DirectClient::fan_out(const LetterPtr& letter) {
    const auto legs = std::make_shared<Fanout>(Fanout{.letter = letter});
    std::vector<LetterPtr> copies;
    const Duration left = letter->timeout - (bus_.reactor().now() - letter->started);
    for (const auto& peer : peers_) {
        if (!peer->is_up() && !peer->is_trying()) continue;
        const auto copy = letter->copy_for(peer, left);
        copy->done = [legs, bus = bus_.weak_from_this()](Result<Json> result) {
            if (const auto alive = bus.lock()) legs->one_ended(*alive, result);
        };
        copies.push_back(copy);
    }
    if (copies.empty()) {
        bus_.end(letter, nobody(*letter, nullptr));
        return;
    }
    // The copies end by the deadline, and the letter with the last of them.
    bus_.forget_deadline(*letter);
    legs->left = copies.size();
    for (const auto& copy : copies) bus_.begin(copy);
}

}  // namespace aprotic::driver::bus
