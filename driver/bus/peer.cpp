#include <aprotic/driver/bus/peer.hpp>

#include <utility>

#include <fmt/core.h>

#include <aprotic/driver/bus/bus.hpp>
#include <aprotic/driver/bus/profile_addresser.hpp>
#include <aprotic/driver/bus/redirect.hpp>

namespace aprotic::driver::bus {

/// One connection, from the attempt to its end.
struct Peer::Attempt final : engine::ConnectionHandler {
    explicit Attempt(std::weak_ptr<Peer> owner) : peer(std::move(owner)) {}

    /// The bus that is told, while both are there and it is not closed.
    std::shared_ptr<Bus> told(const std::shared_ptr<Peer>& alive) const {
        auto bus = alive ? alive->bus() : nullptr;
        return bus && !bus->is_closed() && alive->attempt_.get() == this ? bus : nullptr;
    }
    void on_open(engine::Connection&) override {
        const auto alive = peer.lock();
        if (const auto bus = told(alive)) alive->on_open(*bus);
    }
    void on_close(engine::Connection&, const std::optional<engine::Failure>& why) override {
        const auto alive = peer.lock();
        if (const auto bus = told(alive)) alive->on_close(*bus, why);
    }

    std::weak_ptr<Peer> peer;
};

Peer::Peer(Bus& bus, std::vector<std::size_t> hosts)
    : bus_(bus.weak_from_this()),
      hosts_(std::move(hosts)),
      addresser_(bus.addresser_without_peer()),
      host_(hosts_.front()) {}

const std::string& Peer::host_name() const {
    static const std::string nobody;
    const auto alive = bus();
    return alive ? alive->host_name(host_) : nobody;
}

const std::string& Peer::host() const {
    static const std::string nobody;
    const auto alive = bus();
    return alive && host_ < alive->url().hosts.size() ? alive->url().hosts[host_].host : nobody;
}

void Peer::want() {
    if (const auto alive = bus(); alive && !up_)
        act(*alive, reconnect(*alive).next(Reconnect::Input::start, alive->reactor().random()));
}

void Peer::forget(const CallId& call) {
    if (replies_) replies_->forget(call);
}

Outbound* Peer::find(const std::string& address) const {
    const auto at = up_ ? outbounds_.find(address) : outbounds_.end();
    return at == outbounds_.end() ? nullptr : at->second.get();
}

void Peer::log(LogLevel level, std::string_view event, std::string text,
               std::vector<std::pair<std::string_view, std::string>> fields) const {
    const auto alive = bus();
    if (!alive || !alive->options().log) return;
    fields.emplace(fields.begin(), "host", host_name());
    alive->options().log({level, event, std::move(text), std::move(fields)});
}

// ---- letters -------------------------------------------------------------------------------------------------------

void Peer::route(const LetterPtr& letter) {
    const auto alive = bus();
    if (!alive) return;
    letter->stage = Letter::Stage::waiting;
    if (!up_) {
        want();
        return;
    }
    if (letter->kind == Letter::Kind::connect) {
        alive->end(letter, Json());
        return;
    }
    if (letter->has_target()) letter->address = alive->address_of(*letter, addresser_);
    if (letter->kind == Letter::Kind::call) {
        if (!open_replies()) return;
        // What may be under way keeps its name, so that the first reply counts, whichever it is.
        if (!letter->may_have_run || !replies_->expects(letter->id)) {
            if (!letter->id.is_none()) replies_->forget(letter->id);
            letter->id = alive->new_call_id();
            replies_->expect(letter);
        }
        if (letter->call_monitor_timeout) alive->start_monitor(letter);
    }
    outbound(letter->address, letter->node_kind()).send(letter);
}

Outbound& Peer::outbound(const std::string& address, NodeKind kind) {
    auto& outbound = outbounds_[address];
    if (!outbound) {
        outbound = std::make_shared<Outbound>(*this, NodeRef{address, kind});
        if (const auto alive = bus()) start_sweep(*alive);
    }
    return *outbound;
}

bool Peer::open_replies() {
    if (!replies_->is_open()) replies_->open();
    return replies_->is_open();
}

void Peer::on_refused(Outbound& outbound, const engine::Failure& why) {
    const auto alive = bus();
    const auto at = !alive || alive->is_closed() ? outbounds_.end() : outbounds_.find(outbound.address());
    if (at == outbounds_.end() || at->second.get() != &outbound) return;
    const auto gone = std::move(at->second);
    outbounds_.erase(at);
    alive->on_refused(*this, gone->address(), why);
    for (const auto& letter : gone->close()) {
        if (letter->stage != Letter::Stage::queued) continue;
        CallFailure failure = alive->failure_of(
            *letter, Errc::refused,
            fmt::format("{} refuses the address '{}'{}", host_name(), letter->address, redirection(why.condition)));
        failure.host = host_name();
        failure.condition = why.condition;
        alive->end(letter, std::move(failure));
    }
}

// ---- links ---------------------------------------------------------------------------------------------------------

void Peer::prepare(const NodeRef& node, Groundwork::Done done) {
    if (groundwork_)
        groundwork_->lay(node, std::move(done));
    else
        done(std::nullopt);
}

void Peer::forget_preparation(const std::string& address) {
    if (groundwork_) groundwork_->forget(address);
}

engine::Sender Peer::open_sender(const std::string& address, engine::SenderOptions options,
                                 std::shared_ptr<engine::SenderHandler> handler) {
    if (profile_.session_per_link && outbounds_.size() <= profile_.sessions_max)
        return connection_.open_session().open_sender(address, std::move(options), std::move(handler));
    return connection_.open_sender(address, std::move(options), std::move(handler));
}

engine::Receiver Peer::open_receiver(const std::string& address, engine::ReceiverOptions options,
                                     std::shared_ptr<engine::ReceiverHandler> handler) {
    if (profile_.session_per_link)
        return connection_.open_session().open_receiver(address, std::move(options), std::move(handler));
    return connection_.open_receiver(address, std::move(options), std::move(handler));
}

bool Peer::was_refused(const engine::Failure& why, bool was_open) {
    if (why.code == engine::Errc::refused) return true;
    // The peer has no more sessions: from now on links share one, come what may.
    if (why.code == engine::Errc::limit_reached) {
        profile_.sessions_max = 0;
        profile_.session_per_link = false;
    }
    if (was_open || why.code != engine::Errc::ended_by_peer || why.initiator != engine::Initiator::peer) return false;
    return std::exchange(profile_.session_per_link, profile_.sessions_max > 0);
}

// ---- the connection ------------------------------------------------------------------------------------------------

Reconnect& Peer::reconnect(Bus& bus) {
    if (!reconnect_) {
        const TransportOptions& options = bus.options();
        reconnect_.emplace(Reconnect::Options{options.connection_retry_interval, options.connection_retry_backoff,
                                              options.connection_retry_interval_max, options.connection_retry_increment,
                                              options.connection_retry_jitter},
                           hosts_.size(), static_cast<std::size_t>(bus.reactor().random() % hosts_.size()));
    }
    return *reconnect_;
}

void Peer::act(Bus& bus, const Reconnect::Action& action) {
    switch (action.kind) {
        case Reconnect::Action::Kind::none: return;
        case Reconnect::Action::Kind::wait:
            bus.reactor().start_timer(bus.reactor().now() + action.pause, [peer = weak_from_this()] {
                const auto self = peer.lock();
                const auto alive = self ? self->bus() : nullptr;
                if (!alive || self->shut_) return;
                // Nobody may want it any more.
                const auto input = alive->is_wanted() ? Reconnect::Input::timer : Reconnect::Input::stop;
                self->act(*alive, self->reconnect_->next(input, alive->reactor().random()));
            });
            return;
        case Reconnect::Action::Kind::connect:
            host_ = hosts_[action.host];
            attempt_began_ = bus.reactor().now();
            attempt_ = std::make_shared<Attempt>(weak_from_this());
            connection_ = bus.connect(host_, attempt_);
            return;
    }
}

void Peer::on_open(Bus& bus) {
    act(bus, reconnect_->next(Reconnect::Input::connected, 0));
    up_ = true;
    hopeless_attempts_ = 0;
    last_failure_.reset();
    if (bus.metrics()) {
        bus.metrics()->connected(bus.reactor().now() - attempt_began_);
        if (lost_at_) bus.metrics()->reconnected(bus.reactor().now() - *lost_at_);
    }
    lost_at_.reset();
    if (!bus.is_direct()) choose_profile(bus);
    log(LogLevel::info, "connected", "connected to " + host_name(),
        {{"profile", std::string(name_of(profile_.intermediary))}});
    warn_of_cleartext();
    replies_ = std::make_shared<Replies>(*this);
    bus.on_up(*this);
}

void Peer::choose_profile(Bus& bus) {
    const codec::Open& open = *connection_.remote();
    profile_ = driver::choose_profile(bus.options(), open, host());
    addresser_ = make_addresser(bus.options(), bus.url().virtual_host, open, profile_, bus.random_id());
    groundwork_ = Groundwork::make(*this);
}

void Peer::on_close(Bus& bus, const std::optional<engine::Failure>& why) {
    attempt_.reset();
    connection_ = {};
    last_failure_ =
        why.value_or(engine::Failure{engine::Errc::closed, engine::Initiator::us, {}, "the connection was closed"});
    last_failed_host_ = host_name();
    log(LogLevel::warning, up_ ? "connection_lost" : "connect_failed",
        fmt::format("{} {}: {}", up_ ? "lost the connection to" : "no connection to", host_name(),
                    last_failure_->message()));
    if (std::exchange(up_, false))
        connection_lost(bus, *last_failure_);
    else
        connect_failed(bus, *last_failure_);
}

void Peer::warn_of_cleartext() {
    const auto& identity = connection_.identity();
    if (!identity.sent_in_clear || std::exchange(warned_of_cleartext_, true)) return;
    log(LogLevel::warning, "credentials_in_clear",
        fmt::format("the credentials for {} went out unencrypted (SASL {}): others could read them on the way. Use "
                    "amqps:// (or the option ssl); allow_cleartext_password=false forbids it",
                    host_name(), identity.mechanism),
        {{"mechanism", identity.mechanism}, {"option", "allow_cleartext_password"}});
}

void Peer::connect_failed(Bus& bus, const engine::Failure& why) {
    if (bus.metrics()) bus.metrics()->connect_failed(why.code);
    hopeless_attempts_ = is_hopeless(why.code) ? hopeless_attempts_ + 1 : 0;
    const auto action = reconnect_->next(Reconnect::Input::failed, bus.reactor().random());
    bus.on_connect_failed(*this);
    connect_again(bus, action);
}

void Peer::connection_lost(Bus& bus, const engine::Failure& why) {
    if (bus.metrics()) bus.metrics()->connection_lost(why.code);
    lost_at_ = bus.reactor().now();
    const auto action = reconnect_->next(Reconnect::Input::lost, bus.reactor().random());
    replies_->close();
    replies_.reset();
    if (groundwork_) std::exchange(groundwork_, nullptr)->close();
    for (auto& [address, outbound] : std::exchange(outbounds_, {}))
        for (const auto& letter : outbound->close())
            if (letter->stage == Letter::Stage::queued) letter->stage = Letter::Stage::waiting;
    bus.on_connection_lost(*this, why);
    connect_again(bus, action);
}

void Peer::connect_again(Bus& bus, const Reconnect::Action& action) {
    // Without a broker the others are called meanwhile, and this one again with the next letter.
    const bool in_vain = bus.is_direct() && is_turned_away();
    // There is a pause after a loss even when nobody waits: else whoever takes connections and drops them would be asked
    // again by each letter.
    const bool was_lost = reconnect_->failures() == 0;
    if ((bus.is_wanted() || was_lost) && !in_vain)
        act(bus, action);
    else
        reconnect_->next(Reconnect::Input::stop, 0);
}

void Peer::start_sweep(Bus& bus) {
    if (sweep_timer_ != 0) return;
    sweep_timer_ = bus.reactor().start_timer(bus.reactor().now() + bus.options().default_sender_link_timeout,
                                             [peer = weak_from_this()] {
                                                 if (const auto self = peer.lock()) self->sweep();
                                             });
}

void Peer::sweep() {
    sweep_timer_ = 0;
    const auto alive = bus();
    for (auto at = outbounds_.begin(); at != outbounds_.end();) {
        if (!at->second->was_unused()) {
            ++at;
            continue;
        }
        at->second->close();
        if (alive) alive->on_unused(at->first);
        at = outbounds_.erase(at);
    }
    if (alive && !outbounds_.empty()) start_sweep(*alive);
}

void Peer::shut_down() {
    if (std::exchange(shut_, true)) return;
    const auto alive = bus();
    if (alive && sweep_timer_ != 0) alive->reactor().cancel_timer(sweep_timer_);
    for (auto& [address, outbound] : std::exchange(outbounds_, {})) outbound->close();
    if (replies_) replies_->close();
    if (groundwork_) std::exchange(groundwork_, nullptr)->close();
    if (connection_) std::exchange(connection_, {}).close();
    attempt_.reset();
    if (std::exchange(up_, false) && alive && alive->metrics()) alive->metrics()->disconnected();
}

}  // namespace aprotic::driver::bus
