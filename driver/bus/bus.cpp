#include <aprotic/driver/bus/bus.hpp>

#include <algorithm>
#include <utility>

#include <fmt/core.h>

#include <aprotic/driver/bus/envelope.hpp>

namespace aprotic::driver::bus {

/// One connection, from the attempt to its end.
struct Bus::Attempt final : engine::ConnectionHandler, std::enable_shared_from_this<Attempt> {
    explicit Attempt(std::weak_ptr<Bus> owner) : bus(std::move(owner)) {}

    void on_open(engine::Connection&) override {
        if (const auto alive = bus.lock()) alive->on_open(shared_from_this());
    }
    void on_close(engine::Connection&, const std::optional<engine::Failure>& why) override {
        if (const auto alive = bus.lock()) alive->on_close(shared_from_this(), why);
    }

    std::weak_ptr<Bus> bus;
};

Bus::Bus(engine::Reactor& reactor, TransportOptions options, TransportUrl url, std::vector<std::string> host_names,
         Connector connector)
    : reactor_(reactor),
      options_(std::move(options)),
      url_(std::move(url)),
      host_names_(std::move(host_names)),
      connector_(std::move(connector)),
      addresser_(make_addresser(options_, url_.virtual_host, nullptr)) {}

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

void Bus::submit(LetterPtr letter) {
    post([letter = std::move(letter)](Bus& bus) { bus.begin(letter); });
}

void Bus::close(engine::Function<void()> done) {
    const std::lock_guard lock(gate_);
    if (gate_closed_.exchange(true) && !done) return;
    reactor_.post([self = shared_from_this(), done = std::move(done)]() mutable {
        self->shut_down();
        if (done) done();
    });
}

std::string Bus::random_id() {
    const std::uint64_t high = reactor_.random();
    return hex_id(high, reactor_.random());
}

// ---- letters
// ------------------------------------------------------------------------------------------------------------

void Bus::begin(const LetterPtr& letter) {
    letter->number = ++last_number_;
    letter->started = reactor_.now();
    // Until there is a connection, for the texts of failures.
    if (letter->is_request()) letter->address = addresser_->rpc_address(letter->target);
    if (letter->unsendable) {
        CallFailure failure = failure_of(*letter, Errc::closed, letter->unsendable->text);
        failure.code = letter->unsendable->code;
        letter->end(std::move(failure));
        return;
    }
    if (bytes_waiting_ + letter->size() > options_.send_queue_bytes_max) {
        letter->end(failure_of(*letter, Errc::not_sent,
                               fmt::format("{} octets wait to be sent; the limit is {} (option send_queue_bytes_max)",
                                           bytes_waiting_ + letter->size(), options_.send_queue_bytes_max)));
        return;
    }
    bytes_waiting_ += letter->size();
    letters_.emplace(letter->number, letter);
    letter->deadline_timer = reactor_.start_timer(letter->started + letter->timeout, [bus = weak_from_this(), letter] {
        if (const auto alive = bus.lock()) alive->on_deadline(letter);
    });
    route(letter);
}

void Bus::route(const LetterPtr& letter) {
    if (letter->stage == Letter::Stage::ended) return;
    letter->stage = Letter::Stage::waiting;
    if (!up_) {
        act(reconnect().next(Reconnect::Input::start, reactor_.random()));
        return;
    }
    if (letter->kind == Letter::Kind::connect) {
        end(letter, Json());
        return;
    }
    if (letter->is_request()) letter->address = addresser_->rpc_address(letter->target);
    if (letter->kind == Letter::Kind::call) {
        if (!replies_->is_open()) {
            replies_->open();
            return;
        }
        replies_->forget(letter->message_id);
        letter->message_id = random_id();
        replies_->expect(letter);
        if (letter->call_monitor_timeout) start_monitor(letter);
    }
    auto& outbound = outbounds_[letter->address];
    if (!outbound) outbound = std::make_shared<Outbound>(*this, letter->address);
    start_sweep();
    outbound->send(letter);
}

void Bus::end(const LetterPtr& letter, Result<Json> result) {
    if (letter->stage == Letter::Stage::ended) return;
    reactor_.cancel_timer(letter->deadline_timer);
    reactor_.cancel_timer(letter->monitor_timer);
    if (letters_.erase(letter->number) != 0) bytes_waiting_ -= letter->size();
    if (replies_ && !letter->message_id.empty()) replies_->forget(letter->message_id);
    letter->tracker = {};
    const auto self = shared_from_this();  // the callback may drop the last client
    letter->end(std::move(result));
}

void Bus::cancel(const LetterPtr& letter) {
    if (letter->stage == Letter::Stage::ended) return;
    if (letter->stage == Letter::Stage::handed) letter->tracker.cancel();
    end(letter, failure_of(*letter, Errc::cancelled, "by the caller"));
}

std::vector<LetterPtr> Bus::letters_at(Letter::Stage stage) const {
    std::vector<LetterPtr> found;
    for (const auto& [number, letter] : letters_)
        if (letter->stage == stage) found.push_back(letter);
    return found;
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
            end(letter, std::move(failure));
            return;
        }
    }
}

void Bus::give_back(const LetterPtr& letter, const engine::Outcome& outcome) {
    ++letter->given_back;
    const bool modified = outcome.kind == engine::Outcome::Kind::modified;
    if (modified && (outcome.delivery_failed || outcome.undeliverable_here)) {
        end(letter, failure_of(*letter, outcome.delivery_failed ? Errc::in_doubt : Errc::undeliverable,
                               fmt::format("{} could not deliver to '{}'", letter->host, letter->address)));
        return;
    }
    if (letter->retries == 0) {
        end(letter, failure_of(*letter, Errc::undeliverable,
                               fmt::format("{} gave the message for '{}' back {} times; no more retries (option retry)",
                                           letter->host, letter->address, letter->given_back)));
        return;
    }
    if (letter->retries > 0) --letter->retries;
    if (const auto outbound = outbounds_.find(letter->address); outbound != outbounds_.end())
        outbound->second->send_later(letter);
    else
        route(letter);
}

void Bus::not_sent(const LetterPtr& letter, const engine::Outcome& outcome) {
    const std::error_code code = outcome.failure ? outcome.failure->code : std::error_code();
    const std::string why = outcome.failure ? outcome.failure->message() : "the link took nothing";
    CallFailure failure =
        failure_of(*letter, Errc::not_sent, fmt::format("to '{}' at {}: {}", letter->address, letter->host, why));
    if (outcome.failure) failure.condition = outcome.failure->condition;
    if (code == engine::Errc::refused) {
        failure.code = Errc::refused;
        failure.text = fmt::format("{} refuses the address '{}'", letter->host, letter->address);
        end(letter, std::move(failure));
    } else if (code == engine::Errc::message_too_large) {
        failure.code = Errc::too_large;
        end(letter, std::move(failure));
    } else if (code == engine::Errc::queue_full || letter->retries == 0) {
        end(letter, std::move(failure));
    } else {
        if (letter->retries > 0) --letter->retries;
        const auto outbound = up_ ? outbounds_.find(letter->address) : outbounds_.end();
        if (outbound != outbounds_.end())
            outbound->second->send_later(letter);
        else
            route(letter);
    }
}

void Bus::on_refused(Outbound& outbound, const engine::Failure& why) {
    const auto at = gate_closed_ ? outbounds_.end() : outbounds_.find(outbound.address());
    if (at == outbounds_.end() || at->second.get() != &outbound) return;
    const auto gone = std::move(at->second);
    outbounds_.erase(at);
    for (const auto& letter : gone->close()) {
        if (letter->stage != Letter::Stage::queued) continue;
        CallFailure failure = failure_of(*letter, Errc::refused,
                                         fmt::format("{} refuses the address '{}'", host_name(), letter->address));
        failure.host = host_name();
        failure.condition = why.condition;
        end(letter, std::move(failure));
    }
}

void Bus::on_reply_link_open() {
    for (const auto& letter : letters_at(Letter::Stage::waiting)) route(letter);
}

void Bus::on_reply_link_lost(bool was_open, const std::optional<engine::Failure>& why) {
    if (gate_closed_) return;
    const std::string host = host_name();
    const auto fail = [&](const LetterPtr& letter, Errc code, std::string text) {
        CallFailure failure = failure_of(*letter, code, std::move(text));
        failure.host = host;
        if (why) failure.condition = why->condition;
        end(letter, std::move(failure));
    };
    // The loss of the connection, which on_connection_lost deals with, may show here first.
    const bool refused = !was_open && why && why->initiator == engine::Initiator::peer;
    std::vector<LetterPtr> calls;
    for (const auto& [number, letter] : letters_)
        if (letter->kind == Letter::Kind::call) calls.push_back(letter);
    for (const auto& letter : calls) {
        if (letter->stage == Letter::Stage::waiting) {
            if (refused)
                fail(letter, Errc::refused,
                     fmt::format("{} refuses the dynamic link that replies would come on", host));
        } else if (letter->stage == Letter::Stage::queued) {
            letter->stage = Letter::Stage::waiting;
        } else if (letter->stage != Letter::Stage::ended) {
            if (letter->stage == Letter::Stage::handed) letter->tracker.cancel();
            const auto outcome = letter->stage == Letter::Stage::handed ? letter->tracker.outcome() : std::nullopt;
            if (outcome && outcome->kind == engine::Outcome::Kind::not_sent)
                letter->stage = Letter::Stage::waiting;
            else
                fail(letter, letter->heartbeats > 0 ? Errc::executing : Errc::in_doubt,
                     fmt::format("sent to '{}' at {}, and the link for replies was lost; it may have been processed",
                                 letter->address, host));
        }
    }
    if (was_open) on_reply_link_open();
}

void Bus::on_heartbeat(const LetterPtr& call) {
    ++call->heartbeats;
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

// ---- the connection
// -----------------------------------------------------------------------------------------------------

Reconnect& Bus::reconnect() {
    if (!reconnect_) {
        reconnect_.emplace(Reconnect::Options{options_.connection_retry_interval, options_.connection_retry_backoff,
                                              options_.connection_retry_interval_max},
                           host_names_.size(), static_cast<std::size_t>(reactor_.random() % host_names_.size()));
    }
    return *reconnect_;
}

void Bus::act(const Reconnect::Action& action) {
    switch (action.kind) {
        case Reconnect::Action::Kind::none: return;
        case Reconnect::Action::Kind::wait:
            reactor_.start_timer(reactor_.now() + action.pause, [bus = weak_from_this()] {
                const auto alive = bus.lock();
                if (!alive || alive->shut_) return;
                // Nobody may want it any more.
                const auto input = alive->is_wanted() ? Reconnect::Input::timer : Reconnect::Input::stop;
                alive->act(alive->reconnect_->next(input, alive->reactor_.random()));
            });
            return;
        case Reconnect::Action::Kind::connect: {
            // The transport, and its container with it, goes only after the gate was closed.
            const std::lock_guard lock(gate_);
            if (gate_closed_) return;
            reconnect_host_ = action.host;
            attempt_ = std::make_shared<Attempt>(weak_from_this());
            connection_ = connector_(action.host, attempt_);
            return;
        }
    }
}

void Bus::on_open(const std::shared_ptr<Attempt>& attempt) {
    if (attempt != attempt_ || gate_closed_) return;
    act(reconnect_->next(Reconnect::Input::connected, 0));
    up_ = true;
    hopeless_attempts_ = 0;
    last_failure_.reset();
    addresser_ = make_addresser(options_, url_.virtual_host, connection_.remote());
    log(LogLevel::info, "connected", "connected to " + host_name());
    warn_of_cleartext();
    replies_ = std::make_shared<Replies>(*this);
    for (const auto& server : inbounds_) server->attach();
    for (const auto& letter : letters_at(Letter::Stage::waiting)) route(letter);
}

void Bus::on_close(const std::shared_ptr<Attempt>& attempt, const std::optional<engine::Failure>& why) {
    if (attempt != attempt_ || gate_closed_) return;
    attempt_.reset();
    connection_ = {};
    last_failure_ =
        why.value_or(engine::Failure{engine::Errc::closed, engine::Initiator::us, {}, "the connection was closed"});
    last_failed_host_ = host_name();
    log(LogLevel::warning, up_ ? "connection_lost" : "connect_failed",
        fmt::format("{} {}: {}", up_ ? "lost the connection to" : "no connection to", host_name(),
                    last_failure_->message()));
    if (std::exchange(up_, false))
        on_connection_lost(*last_failure_);
    else
        on_connect_failed(*last_failure_);
}

void Bus::warn_of_cleartext() {
    const auto& identity = connection_.identity();
    const bool readable =
        identity.mechanism == "PLAIN" || identity.mechanism == "OAUTHBEARER" || identity.mechanism == "XOAUTH2";
    if (warned_of_cleartext_ || !readable || identity.tls || url_.hosts.empty()) return;
    const std::string& host = url_.hosts[reconnect_host_].host;
    if (host == "localhost" || host == "::1" || host.starts_with("127.")) return;
    warned_of_cleartext_ = true;
    log(LogLevel::warning, "credentials_in_clear",
        fmt::format("the credentials for {} went out unencrypted (SASL {}): others could read them on the way. Use "
                    "amqps:// (or the option ssl); allow_cleartext_password=false forbids it",
                    host_name(), identity.mechanism),
        {{"mechanism", identity.mechanism}, {"option", "allow_cleartext_password"}});
}

void Bus::log(LogLevel level, std::string_view event, std::string text,
              std::vector<std::pair<std::string_view, std::string>> fields) const {
    if (!options_.log) return;
    fields.emplace(fields.begin(), "host", host_name());
    options_.log({level, event, std::move(text), std::move(fields)});
}

void Bus::on_connect_failed(const engine::Failure& why) {
    hopeless_attempts_ = is_hopeless(why.code) ? hopeless_attempts_ + 1 : 0;
    const bool hopeless = hopeless_attempts_ >= host_names_.size();
    const auto action = reconnect_->next(Reconnect::Input::failed, reactor_.random());
    for (const auto& letter : letters_at(Letter::Stage::waiting)) {
        if (hopeless || letter->retries == 0)
            end(letter, no_connection(*letter));
        else if (letter->retries > 0)
            --letter->retries;
    }
    for (const auto& server : inbounds_) server->lost(no_connection(Letter()));
    if (is_wanted())
        act(action);
    else
        reconnect_->next(Reconnect::Input::stop, 0);
}

void Bus::on_connection_lost(const engine::Failure& why) {
    const auto action = reconnect_->next(Reconnect::Input::lost, reactor_.random());
    replies_->close();
    replies_.reset();
    for (auto& [address, outbound] : std::exchange(outbounds_, {}))
        for (const auto& letter : outbound->close())
            if (letter->stage == Letter::Stage::queued) letter->stage = Letter::Stage::waiting;
    // The reply link has gone with the connection, so their replies cannot come any more.
    for (const auto& letter : letters_at(Letter::Stage::accepted)) {
        CallFailure failure = failure_of(
            *letter, letter->heartbeats > 0 ? Errc::executing : Errc::in_doubt,
            fmt::format(
                "'{}' at {} had it, and the connection was lost before the reply; it may have been processed ({})",
                letter->address, letter->host, why.message()));
        failure.condition = why.condition;
        end(letter, std::move(failure));
    }
    for (const auto& server : inbounds_) server->lost(no_connection(Letter()));
    if (is_wanted())
        act(action);
    else
        reconnect_->next(Reconnect::Input::stop, 0);
}

void Bus::add(std::shared_ptr<Inbound> server) {
    inbounds_.push_back(server);
    if (up_)
        server->attach();
    else
        act(reconnect().next(Reconnect::Input::start, reactor_.random()));
}

void Bus::remove(const std::shared_ptr<Inbound>& server) {
    std::erase(inbounds_, server);
    server->close();
}

void Bus::start_sweep() {
    if (sweep_timer_ != 0) return;
    sweep_timer_ =
        reactor_.start_timer(reactor_.now() + options_.default_sender_link_timeout, [bus = weak_from_this()] {
            if (const auto alive = bus.lock()) alive->sweep();
        });
}

void Bus::sweep() {
    sweep_timer_ = 0;
    for (auto at = outbounds_.begin(); at != outbounds_.end();) {
        if (!at->second->was_unused()) {
            ++at;
            continue;
        }
        at->second->close();
        at = outbounds_.erase(at);
    }
    if (!outbounds_.empty()) start_sweep();
}

void Bus::shut_down() {
    if (std::exchange(shut_, true)) return;
    if (sweep_timer_ != 0) reactor_.cancel_timer(sweep_timer_);
    for (const auto& server : std::exchange(inbounds_, {})) server->close();
    for (auto& [address, outbound] : std::exchange(outbounds_, {})) outbound->close();
    if (replies_) replies_->close();
    if (connection_) std::exchange(connection_, {}).close();
    attempt_.reset();
    up_ = false;
    std::vector<LetterPtr> letters;
    for (const auto& [number, letter] : letters_) letters.push_back(letter);
    for (const auto& letter : letters) end(letter, failure_of(*letter, Errc::closed, "the transport was closed"));
}

}  // namespace aprotic::driver::bus
