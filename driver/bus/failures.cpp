// What a letter's failure says: the cause, the address, the host, and the option that changes it.
#include <algorithm>
#include <utility>

#include <fmt/core.h>

#include <aprotic/driver/bus/bus.hpp>
#include <aprotic/driver/bus/redirect.hpp>

namespace aprotic::driver::bus {
namespace {

double seconds(Duration duration) { return std::chrono::duration<double>(duration).count(); }

}  // namespace

bool is_login_failure(std::error_code code) {
    return code == engine::Errc::authentication_failed || code == engine::Errc::no_common_mechanism ||
           code == engine::Errc::cleartext_refused;
}

bool is_hopeless(std::error_code code) {
    return is_login_failure(code) || code == engine::Errc::certificate_refused || code == engine::Errc::tls_failed;
}

CallFailure Bus::failure_of(const Letter& letter, Errc code, std::string text) const {
    CallFailure failure;
    failure.code = code;
    failure.address = letter.address;
    failure.host = letter.host.empty() && letter.peer && letter.peer->is_up() ? letter.peer->host_name() : letter.host;
    failure.elapsed = letter.number != 0 ? reactor_.now() - letter.started : Duration::zero();
    failure.text = std::move(text);
    return failure;
}

CallFailure Bus::no_connection(const Peer& peer, const Letter& letter) const {
    const std::string forward =
        letter.address.empty() ? "" : fmt::format(", so nothing was sent to '{}'", letter.address);
    CallFailure failure = failure_of(letter, Errc::unreachable, {});
    const auto& last = peer.last_failure();
    if (!last) {
        failure.host = peer.host_name();
        failure.text = fmt::format(
            "{} has not answered within {:.1f} s{}; check host and port in the transport URL, or raise the timeout",
            failure.host, seconds(failure.elapsed), forward);
        return failure;
    }
    failure.host = peer.last_failed_host();
    failure.condition = last->condition;
    std::string advice = "check host and port in the transport URL";
    if (last->code == engine::Errc::certificate_refused || last->code == engine::Errc::tls_failed) {
        advice = "see the options ssl_ca_file, ssl_cert_file and ssl_verify_vhost";
    } else if (last->code == engine::Errc::header_mismatch) {
        advice =
            "where the peer insists on SASL, give a user in the transport URL, or the option "
            "sasl_mechanisms=ANONYMOUS";
    } else if (is_login_failure(last->code)) {
        failure.code = Errc::authentication_failed;
        advice = last->code == engine::Errc::cleartext_refused
                     ? "use amqps:// (or the option ssl), or allow it by the option allow_cleartext_password"
                     : "check user and password in the transport URL, and the option sasl_mechanisms";
    }
    const std::string said = last->text.empty() ? last->code.message() : last->text;
    const std::string after = letter.number != 0 ? fmt::format(" (after {:.1f} s)", seconds(failure.elapsed)) : "";
    const std::string where = said.find(failure.host) == std::string::npos ? failure.host + ": " : "";
    const std::string redirected = redirection(last->condition);
    failure.text =
        fmt::format("{}{}{}{}{}", where, said, after, forward, redirected.empty() ? "; " + advice : redirected);
    return failure;
}

void Bus::on_deadline(const LetterPtr& letter) {
    if (letter->stage == Letter::Stage::ended) return;
    CallFailure failure = expired(letter);
    tell_server(letter);
    end(letter, std::move(failure));
}

CallFailure Bus::expired(const LetterPtr& letter) {
    if (!letter->peer && letter->stage == Letter::Stage::waiting)
        return direct_client_->expired(*letter, reactor_.now() - letter->started);
    // Replies of a server without a broker have none.
    const Peer* const peer = letter->peer.get();
    const double elapsed = seconds(reactor_.now() - letter->started);
    const std::string host_name = peer != nullptr ? peer->host_name() : letter->host;
    const auto with_host = [&](Errc code, std::string text) {
        CallFailure failure = failure_of(*letter, code, std::move(text));
        if (failure.host.empty()) failure.host = host_name;
        return failure;
    };
    switch (letter->stage) {
        case Letter::Stage::waiting:
            if (!peer->is_up()) return no_connection(*peer, *letter);
            return with_host(Errc::not_sent,
                             fmt::format("to '{}': {} has not answered the attach of the link for replies ({:.1f} s)",
                                         letter->address, host_name, elapsed));
        case Letter::Stage::queued:
        case Letter::Stage::handed: {
            const Outbound* const outbound = peer != nullptr ? peer->find(letter->address) : nullptr;
            const std::string obstacle = outbound != nullptr ? outbound->obstacle() : "the link was lost";
            if (letter->stage == Letter::Stage::handed) {
                letter->tracker.cancel();
                const auto outcome = letter->tracker.outcome();
                if (!outcome || outcome->kind != engine::Outcome::Kind::not_sent)
                    return with_host(letter->heartbeats > 0 ? Errc::executing : Errc::in_doubt,
                                     fmt::format("sent to '{}' at {}, which has not said that it took it ({:.1f} s); "
                                                 "it may have been processed",
                                                 letter->address, letter->host, elapsed));
            }
            if (letter->given_back > 0)
                return with_host(
                    Errc::undeliverable,
                    fmt::format("{} gave the message for '{}' back {} times ({:.1f} s): is a server listening?",
                                host_name, letter->address, letter->given_back, elapsed));
            CallFailure failure = with_host(Errc::not_sent, fmt::format("to '{}' at {}: {} ({:.1f} s)", letter->address,
                                                                        host_name, obstacle, elapsed));
            if (outbound != nullptr && outbound->last_failure()) {
                failure.condition = outbound->last_failure()->condition;
                failure.text += redirection(failure.condition);
            }
            return failure;
        }
        case Letter::Stage::accepted:
            if (letter->heartbeats > 0)
                return with_host(
                    Errc::executing,
                    fmt::format("a server on '{}' at {} works on it ({} heartbeats, {:.1f} s); raise the timeout",
                                letter->address, letter->host, letter->heartbeats, elapsed));
            return with_host(
                Errc::no_reply,
                fmt::format(
                    "nobody is listening on '{}' at {} ({}, {:.1f} s), or the method takes longer than the timeout",
                    letter->address, letter->host, letter->settled ? "sent settled" : "accepted by the broker",
                    elapsed));
        case Letter::Stage::ended: break;
    }
    return with_host(Errc::timed_out, "it had ended before");
}

void Bus::on_monitor_expired(const LetterPtr& letter) {
    if (letter->stage == Letter::Stage::ended) return;
    if (letter->stage != Letter::Stage::accepted && letter->stage != Letter::Stage::handed) return;
    CallFailure failure = failure_of(
        *letter, letter->heartbeats > 0 ? Errc::executing : Errc::no_reply,
        fmt::format("no heartbeat came from '{}' at {} for {:.1f} s, after {} (option call_monitor_timeout)",
                    letter->address, letter->host, seconds(*letter->call_monitor_timeout), letter->heartbeats));
    if (letter->heartbeats == 0 || letter->stage == Letter::Stage::handed) {
        // Where nobody has begun with it, another one beside it would be of no use.
        tell_server(letter);
        end(letter, std::move(failure));
    } else if (goes_again(letter, std::move(failure))) {
        route(letter);
    }
}

}  // namespace aprotic::driver::bus
