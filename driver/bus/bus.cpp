#include <aprotic/driver/bus/bus.hpp>

#include <algorithm>
#include <numeric>
#include <utility>

#include <fmt/core.h>

#include <aprotic/driver/bus/envelope.hpp>
#include <aprotic/driver/bus/redirect.hpp>

namespace aprotic::driver::bus {

namespace {

/// What a failure with this code says of this attempt: it did not run.
bool was_not_processed(std::error_code code) {
    constexpr Errc safe[] = {Errc::not_sent,  Errc::unreachable, Errc::authentication_failed, Errc::refused,
                             Errc::too_large, Errc::rejected,    Errc::undeliverable};
    return std::ranges::any_of(safe, [&](Errc each) { return code == each; });
}

}  // namespace

Bus::Bus(engine::Reactor& reactor, TransportOptions options, TransportUrl url, std::vector<std::string> host_names,
         Connector connector, Listen listen)
    : reactor_(reactor),
      options_(std::move(options)),
      url_(std::move(url)),
      host_names_(std::move(host_names)),
      connector_(std::move(connector)),
      listen_(std::move(listen)) {}

std::shared_ptr<Bus> Bus::make(engine::Reactor& reactor, TransportOptions options, TransportUrl url,
                               std::vector<std::string> host_names, Connector connector, Listen listen) {
    const std::shared_ptr<Bus> bus(new Bus(reactor, std::move(options), std::move(url), std::move(host_names),
                                           std::move(connector), std::move(listen)));
    std::vector<std::size_t> hosts(bus->host_names_.size());
    std::iota(hosts.begin(), hosts.end(), 0);
    if (!bus->listen_) {
        bus->peers_.push_back(std::make_shared<Peer>(*bus, std::move(hosts)));
        return bus;
    }
    bus->direct_client_ = std::make_unique<DirectClient>(*bus, bus->peers_);
    bus->direct_server_ = std::make_shared<DirectServer>(*bus);
    for (const std::size_t host : hosts) bus->peers_.push_back(std::make_shared<Peer>(*bus, std::vector{host}));
    return bus;
}

bool Bus::post(engine::Function<void(Bus&)> task) {
    // Under the lock the reactor cannot go: the transport closes the gate before it destroys it.
    const std::lock_guard lock(gate_);
    if (gate_closed_) return false;
    reactor_.post([self = shared_from_this(), task = std::move(task)]() mutable {
        if (!self->shut_) task(*self);
    });
    return true;
}

bool Bus::on_reactor_thread() const {
    const std::lock_guard lock(gate_);
    return !gate_closed_ && reactor_.on_thread();
}

std::optional<engine::Instant> Bus::now() const {
    const std::lock_guard lock(gate_);
    if (gate_closed_) return std::nullopt;
    return reactor_.now();
}

Bus::Stamp Bus::stamp() const {
    const std::lock_guard lock(gate_);
    if (gate_closed_) return {};
    const std::uint64_t high = reactor_.random();
    return {reactor_.wall_time(), high, reactor_.random()};
}

void Bus::close(engine::Function<void()> done) {
    const std::lock_guard lock(gate_);
    if (gate_closed_.exchange(true) && !done) return;
    reactor_.post([self = shared_from_this(), done = std::move(done)]() mutable {
        self->shut_down();
        if (done) done();
    });
}

CallId Bus::new_call_id() {
    const std::uint64_t high = reactor_.random();
    return {high, reactor_.random()};
}

std::string Bus::random_id() {
    const auto id = new_call_id().text();
    return std::string(as_text(id));
}

// ---- letters -------------------------------------------------------------------------------------------------------

void Bus::route(const LetterPtr& letter) {
    if (letter->stage == Letter::Stage::ended) return;
    if (letter->is_pinned)
        letter->peer->route(letter);
    else if (letter->has_target() || letter->kind == Letter::Kind::connect)
        direct_client_->route(letter);
    else
        direct_server_->send(letter);
}

void Bus::end(const LetterPtr& letter, Result<Json> result) {
    if (letter->stage == Letter::Stage::ended) return;
    deadlines_.remove(*letter);
    if (letter->monitor_timer != 0) reactor_.cancel_timer(letter->monitor_timer);
    if (letters_.remove(*letter)) bytes_waiting_ -= letter->size();
    if (letter->peer && !letter->id.is_none()) letter->peer->forget(letter->id);
    if (direct_client_) direct_client_->forget(*letter);
    letter->leave();
    rest();
    letter->tracker = {};
    if (!result && letter->may_have_run && was_not_processed(result.error().code)) {
        CallFailure failure = result.error();
        failure.code = letter->heartbeats > 0 ? Errc::executing : Errc::in_doubt;
        failure.text += "; it had been sent before, and may have been processed";
        result = std::move(failure);
    }
    const auto self = shared_from_this();  // the callback may drop the last client
    finish(letter, std::move(result));
}

void Bus::finish(const LetterPtr& letter, Result<Json> result) {
    if (const auto kind = letter->message_kind(); kind && metrics())
        metrics()->message_ended(*kind, result ? std::error_code() : result.error().code,
                                 reactor_.now() - letter->started);
    letter->end(std::move(result));
}

void Bus::cancel(const LetterPtr& letter) {
    if (letter->stage == Letter::Stage::ended) return;
    if (letter->stage == Letter::Stage::handed) letter->tracker.cancel();
    tell_server(letter);
    end(letter, failure_of(*letter, Errc::cancelled, "by the caller"));
}

/// Has the server hear that nobody waits for the answer any more: the one that works on it if it has told who it is,
/// else whoever may have it.
void Bus::tell_server(const LetterPtr& call) {
    using Stage = Letter::Stage;
    if (!call->extras.cancellable || call->id.is_none() || gate_closed_) return;
    if (!call->peer || !call->peer->is_up()) return;
    if (call->stage != Stage::handed && call->stage != Stage::accepted && !call->may_have_run) return;
    if (call->stage == Stage::handed && !call->may_have_run) {
        const auto outcome = call->tracker.outcome();
        if (outcome && outcome->kind == engine::Outcome::Kind::not_sent) return;  // taken back
    }
    auto notice = std::make_shared<Letter>();
    notice->kind = Letter::Kind::notice;
    notice->address = call->server_address;
    if (notice->address.empty()) {
        Target to = *call->target;
        to.fanout = to.server.empty();
        notice->address = call->peer->addresser().rpc_address(to);
    }
    const auto id = call->id.text();
    Request request{.method = notice_method, .args = {{"call", as_text(id)}}};
    notice->text = request_text(request);
    notice->extras.cancels = as_text(id);
    notice->settled = true;
    notice->with_ttl = true;
    notice->timeout = options_.default_send_timeout;
    notice->retries = 0;
    notice->peer = call->peer;
    notice->is_pinned = true;
    begin(notice);
}

std::vector<LetterPtr> Bus::letters_at(const Peer& peer, Letter::Stage stage) const {
    return letters_.find([&](const Letter& letter) { return letter.stage == stage && letter.peer.get() == &peer; });
}

void Bus::on_outcome(const LetterPtr& letter, const engine::Outcome& outcome) {
    using Kind = engine::Outcome::Kind;
    if (letter->stage != Letter::Stage::handed || gate_closed_) return;  // shut_down() is under way, and tells all
    switch (outcome.kind) {
        case Kind::accepted:
        case Kind::sent:
            letter->stage = Letter::Stage::accepted;
            if (letter->kind != Letter::Kind::call) end(letter, Json());
            return;
        case Kind::rejected: {
            CallFailure failure =
                failure_of(*letter, Errc::rejected,
                           fmt::format("{} calls the message for '{}' invalid", letter->host, letter->address));
            failure.condition = outcome.condition;
            end(letter, std::move(failure));
            return;
        }
        case Kind::released:
        case Kind::modified: give_back(letter, outcome); return;
        case Kind::not_sent: not_sent(letter, outcome); return;
        case Kind::rolled_back:  // of what is sent within a transaction, which nothing here is
        case Kind::in_doubt: {
            CallFailure failure = failure_of(
                *letter, letter->heartbeats > 0 ? Errc::executing : Errc::in_doubt,
                fmt::format("sent to '{}' at {}, and the link was lost before an answer; it may have been processed{}",
                            letter->address, letter->host,
                            outcome.failure ? " (" + outcome.failure->message() + ")" : std::string()));
            if (outcome.failure) failure.condition = outcome.failure->condition;
            if (goes_again(letter, std::move(failure))) send_again(letter);
            return;
        }
    }
}

bool Bus::goes_again(const LetterPtr& letter, CallFailure failure) {
    if (!letter->idempotent || letter->retries == 0) {
        end(letter, std::move(failure));
        return false;
    }
    if (letter->retries > 0) --letter->retries;
    letter->may_have_run = true;
    letter->server_address.clear();
    letter->stage = Letter::Stage::waiting;
    return true;
}

void Bus::send_again(const LetterPtr& letter) {
    Outbound* const outbound = letter->is_pinned ? letter->peer->find(letter->address) : nullptr;
    if (outbound != nullptr)
        outbound->send_later(letter);
    else
        route(letter);
}

void Bus::give_back(const LetterPtr& letter, const engine::Outcome& outcome) {
    ++letter->given_back;
    if (const auto kind = letter->message_kind(); kind && metrics()) metrics()->message_given_back(*kind);
    const bool modified = outcome.kind == engine::Outcome::Kind::modified;
    if (modified && (outcome.delivery_failed || outcome.undeliverable_here)) {
        CallFailure failure = failure_of(*letter, outcome.delivery_failed ? Errc::in_doubt : Errc::undeliverable,
                                         fmt::format("{} could not deliver to '{}'", letter->host, letter->address));
        if (!outcome.delivery_failed)
            end(letter, std::move(failure));
        else if (goes_again(letter, std::move(failure)))
            send_again(letter);
        return;
    }
    if (letter->retries == 0) {
        end(letter, failure_of(*letter, Errc::undeliverable,
                               fmt::format("{} gave the message for '{}' back {} times; no more retries (option retry)",
                                           letter->host, letter->address, letter->given_back)));
        return;
    }
    if (letter->retries > 0) --letter->retries;
    // Another server may take it at once; when all have had it, it waits.
    if (letter->is_pinned || letter->given_back < peers_.size()) return send_again(letter);
    letter->leave();
    letter->stage = Letter::Stage::waiting;
    reactor_.start_timer(reactor_.now() + options_.link_retry_delay,
                         [bus = weak_from_this(), weak = std::weak_ptr(letter)] {
                             const auto alive = bus.lock();
                             if (const auto again = weak.lock(); alive && again) alive->route(again);
                         });
}

void Bus::not_sent(const LetterPtr& letter, const engine::Outcome& outcome) {
    const std::error_code code = outcome.failure ? outcome.failure->code : std::error_code();
    const std::string why = outcome.failure ? outcome.failure->message() : "the link took nothing";
    CallFailure failure =
        failure_of(*letter, Errc::not_sent, fmt::format("to '{}' at {}: {}", letter->address, letter->host, why));
    if (outcome.failure) failure.condition = outcome.failure->condition;
    if (code == engine::Errc::refused) {
        failure.code = Errc::refused;
        failure.text =
            fmt::format("{} refuses the address '{}'{}", letter->host, letter->address, redirection(failure.condition));
        end(letter, std::move(failure));
    } else if (code == engine::Errc::message_too_large) {
        failure.code = Errc::too_large;
        end(letter, std::move(failure));
    } else if (code == engine::Errc::queue_full || letter->retries == 0) {
        end(letter, std::move(failure));
    } else {
        if (letter->retries > 0) --letter->retries;
        send_again(letter);
    }
}

void Bus::on_reply_link_open(Peer& peer) {
    if (direct_client_) direct_client_->on_ready_for_replies();
    for (const auto& letter : letters_at(peer, Letter::Stage::waiting)) route(letter);
}

void Bus::on_reply_link_lost(Peer& peer, bool was_open, const std::optional<engine::Failure>& why) {
    if (gate_closed_) return;
    const std::string host = peer.host_name();
    const auto failure_at = [&](const LetterPtr& letter, Errc code, std::string text) {
        CallFailure failure = failure_of(*letter, code, std::move(text));
        failure.host = host;
        if (why) failure.condition = why->condition;
        return failure;
    };
    // The loss of the connection, which on_connection_lost deals with, may show here first.
    const bool refused = !was_open && why && why->initiator == engine::Initiator::peer;
    const auto calls = letters_.find(
        [&](const Letter& letter) { return letter.kind == Letter::Kind::call && letter.peer.get() == &peer; });
    for (const auto& letter : calls) {
        if (letter->stage == Letter::Stage::waiting) {
            if (refused)
                end(letter, failure_at(letter, Errc::refused,
                                       fmt::format("{} refuses the link that replies would come on (option "
                                                   "reply_address){}",
                                                   host, redirection(why->condition))));
        } else if (letter->stage == Letter::Stage::queued) {
            letter->stage = Letter::Stage::waiting;
        } else if (letter->stage != Letter::Stage::ended) {
            if (letter->stage == Letter::Stage::handed) letter->tracker.cancel();
            const auto outcome = letter->stage == Letter::Stage::handed ? letter->tracker.outcome() : std::nullopt;
            if (outcome && outcome->kind == engine::Outcome::Kind::not_sent)
                letter->stage = Letter::Stage::waiting;
            else  // sent again, it waits for the next link for replies
                static_cast<void>(goes_again(
                    letter, failure_at(letter, letter->heartbeats > 0 ? Errc::executing : Errc::in_doubt,
                                       fmt::format("sent to '{}' at {}, and the link for replies was lost; it may have "
                                                   "been processed",
                                                   letter->address, host))));
        }
    }
    if (was_open) on_reply_link_open(peer);
}

void Bus::on_heartbeat(const LetterPtr& call) {
    ++call->heartbeats;
    if (metrics()) metrics()->heartbeat_received();
    start_monitor(call);
}

void Bus::start_monitor(const LetterPtr& call) {
    if (!call->call_monitor_timeout) return;
    reactor_.cancel_timer(call->monitor_timer);
    call->monitor_timer =
        reactor_.start_timer(reactor_.now() + *call->call_monitor_timeout, [bus = weak_from_this(), call] {
            if (const auto alive = bus.lock()) alive->on_monitor_expired(call);
        });
}

// ---- the peer ------------------------------------------------------------------------------------------------------

engine::Connection Bus::connect(std::size_t host, std::shared_ptr<engine::ConnectionHandler> handler) {
    // The transport, and its container with it, goes only after the gate was closed.
    const std::lock_guard lock(gate_);
    return gate_closed_ ? engine::Connection() : connector_(host, std::move(handler));
}

codec::Result<engine::Listener, engine::Failure> Bus::listen(engine::HandlerFactory make_guest) {
    const std::lock_guard lock(gate_);
    if (gate_closed_)
        return engine::Failure{engine::Errc::closed, engine::Initiator::us, {}, "the transport was closed"};
    return listen_(std::move(make_guest));
}

std::shared_ptr<const Addresser> Bus::addresser_without_peer() const {
    const codec::Open nobody;
    return make_addresser(options_, url_.virtual_host, is_direct() ? &nobody : nullptr);
}

void Bus::log(LogLevel level, std::string_view event, std::string text,
              std::vector<std::pair<std::string_view, std::string>> fields) const {
    peer().log(level, event, std::move(text), std::move(fields));
}

void Bus::on_up(Peer& peer) {
    if (direct_client_)
        direct_client_->on_up(peer);
    else
        for (const auto& server : inbounds_) server->attach();
    for (const auto& letter : letters_at(peer, Letter::Stage::waiting)) route(letter);
}

void Bus::on_connect_failed(Peer& peer) {
    for (const auto& letter : letters_at(peer, Letter::Stage::waiting)) {
        if (peer.is_turned_away() || letter->retries == 0)
            end(letter, no_connection(peer, *letter));
        else if (letter->retries > 0)
            --letter->retries;
    }
    if (direct_client_)
        direct_client_->on_connect_failed();
    else
        for (const auto& server : inbounds_) server->lost(no_connection(peer, Letter()));
}

void Bus::on_connection_lost(Peer& peer, const engine::Failure& why) {
    // The reply link has gone with the connection, so their replies cannot come any more.
    for (const auto& letter : letters_at(peer, Letter::Stage::accepted)) {
        CallFailure failure = failure_of(
            *letter, letter->heartbeats > 0 ? Errc::executing : Errc::in_doubt,
            fmt::format(
                "'{}' at {} had it, and the connection was lost before the reply; it may have been processed ({})",
                letter->address, letter->host, why.message()));
        failure.condition = why.condition;
        // Sent again, it waits for the next connection.
        static_cast<void>(goes_again(letter, std::move(failure)));
    }
    rest();
    if (!is_direct()) {
        for (const auto& server : inbounds_) server->lost(no_connection(peer, Letter()));
        return;
    }
    // What it has not had goes to another.
    for (const auto& letter : letters_at(peer, Letter::Stage::waiting))
        if (!letter->is_pinned) route(letter);
}

void Bus::add(std::shared_ptr<Inbound> server) {
    inbounds_.push_back(server);
    if (direct_server_)
        direct_server_->add(server);
    else if (is_up())
        server->attach();
    else
        peer().want();
}

void Bus::drain(const Inbound& server) {
    if (direct_server_) direct_server_->drain(server);
}

void Bus::remove(const std::shared_ptr<Inbound>& server) {
    std::erase(inbounds_, server);
    if (direct_server_) direct_server_->remove(*server);
    server->close();
}

void Bus::on_ready(const std::string& address) {
    if (direct_client_ && !gate_closed_) direct_client_->on_ready(address);
}

void Bus::on_unused(const std::string& address) {
    if (direct_client_) direct_client_->on_unused(address);
}

void Bus::on_refused(const Peer& peer, const std::string& address, const engine::Failure& why) {
    if (direct_client_) direct_client_->on_refused(peer, address, why);
}

void Bus::shut_down() {
    if (std::exchange(shut_, true)) return;
    for (const auto& server : std::exchange(inbounds_, {})) server->close();
    for (const auto& peer : peers_) peer->shut_down();
    if (direct_server_) direct_server_->shut_down();
    for (const auto& letter : letters_.find([](const Letter&) { return true; }))
        end(letter, failure_of(*letter, Errc::closed, "the transport was closed"));
    rest();
}

}  // namespace aprotic::driver::bus
