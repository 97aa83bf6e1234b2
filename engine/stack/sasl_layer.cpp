#include <aprotic/engine/stack/sasl_layer.hpp>

#include <algorithm>
#include <type_traits>

#include <fmt/core.h>

#include <aprotic/engine/stack/header_exchange.hpp>
#include <aprotic/engine/stack/sasl_cyrus.hpp>
#include <aprotic/engine/stack/wipe.hpp>

namespace aprotic::engine::stack {
namespace {

/// The same frame without what would let its reader in.
codec::SaslInit without_secret(const codec::SaslInit& init) {
    codec::SaslInit copy;
    copy.mechanism = init.mechanism;
    copy.hostname = init.hostname;
    if (init.initial_response) copy.initial_response.emplace();
    return copy;
}
codec::SaslResponse without_secret(const codec::SaslResponse&) { return {}; }

template <class T>
constexpr bool is_secret = std::is_same_v<T, codec::SaslInit> || std::is_same_v<T, codec::SaslResponse>;

template <class T>
void trace_without_secret(TraceSink& sink, bool outgoing, const T& body) {
    sink.frame(outgoing, codec::encode_frame(0, without_secret(body)).span());
}

void trace_received(TraceSink& sink, const codec::FrameView& frame) {
    if (frame.is(codec::descriptor::sasl_init)) {
        if (const auto init = frame.as<codec::SaslInit>()) {
            trace_without_secret(sink, false, *init);
            if (init->initial_response) wipe(init->initial_response->span());
        }
    } else if (frame.is(codec::descriptor::sasl_response)) {
        trace_without_secret(sink, false, codec::SaslResponse{});
    } else {
        sink.frame(false, frame.frame);
    }
}

std::string join(const std::vector<codec::Symbol>& names) {
    std::string text;
    for (const codec::Symbol& name : names) {
        if (!text.empty()) text += ", ";
        text += printable(name.view(), 40);
    }
    return text;
}

}  // namespace

// --- both roles ----------------------------------------------------------------------------------------------------

std::size_t SaslLayer::feed(std::span<const std::byte> input) {
    // [5.3-f] The size is not negotiated. Octets 6 and 7 and the extended header are ignored. [5.3-d]
    const codec::FrameParser parser(cyrus_.frame_size_max);
    std::size_t consumed = 0;
    while (status_ == Status::going_on) {
        const auto step = parser.next(input.subspan(consumed));
        if (step.status == codec::FrameParser::Status::need_more) break;
        if (step.status == codec::FrameParser::Status::error) {
            fail_malformed(step.error);
            break;
        }
        consumed += step.size;
        if (trace_ != nullptr) trace_received(*trace_, step.frame);
        // [5.3-c, -h] No AMQP frame has a place here, and an empty one is fatal.
        if (step.frame.type != codec::FrameType::sasl || step.frame.empty()) {
            fail_unexpected(step.frame);
        } else {
            recv(step.frame);
        }
    }
    return consumed;
}

template <class T>
bool SaslLayer::send(const T& body) {
    const std::size_t before = output_.size();
    codec::append_frame(output_, 0, body);
    if (output_.size() - before > cyrus_.frame_size_max) {
        wipe(output_.written().subspan(before));
        output_.truncate(before);
        return false;
    }
    if (trace_ != nullptr) {
        if constexpr (is_secret<T>) {
            trace_without_secret(*trace_, true, body);
        } else {
            trace_->frame(true, output_.written().subspan(before));
        }
    }
    return true;
}

void SaslLayer::succeed(PeerIdentity identity, std::unique_ptr<SaslSecurityLayer> layer) {
    const unsigned bits = layer ? layer->bits() : 0;
    if (bits < cyrus_.layer_bits_min && !identity.tls) {
        return fail(Errc::authentication_failed, Initiator::us,
                    fmt::format("{} gave a security layer of {} bits, less than the {} wanted: use TLS, another "
                                "mechanism or a lower sasl.cyrus.layer_bits_min",
                                identity.mechanism, bits, cyrus_.layer_bits_min));
    }
    status_ = Status::succeeded;
    identity_ = std::move(identity);
    identity_.sasl_layer_bits = bits;
    security_layer_ = std::move(layer);
}

void SaslLayer::fail(Errc code, Initiator initiator, std::string text) {
    status_ = Status::failed;
    failure_.code = code;
    failure_.initiator = initiator;
    failure_.text = std::move(text);
}

void SaslLayer::fail_unexpected(const codec::FrameView& frame) {
    const std::string_view name = frame.empty() ? "an empty frame" : codec::descriptor_name(frame.code);
    fail(Errc::protocol_violation, Initiator::us,
         fmt::format("during authentication the peer sent {}, which has no place there [5.3.2]", name));
}

void SaslLayer::fail_malformed(std::error_code why) {
    std::string text = fmt::format("during authentication the peer sent a malformed frame: {}", why.message());
    if (why == codec::Errc::frame_too_large)
        text += fmt::format(" (at most {} bytes, sasl.cyrus.frame_size_max)", cyrus_.frame_size_max);
    fail(Errc::protocol_violation, Initiator::us, std::move(text));
}

// --- client --------------------------------------------------------------------------------------------------------

SaslClient::SaslClient(const SaslClientOptions& options, std::optional<std::string> hostname, SaslSurroundings around,
                       codec::Encoder& output)
    : SaslLayer(output, options.cyrus),
      options_(options),
      hostname_(std::move(hostname)),
      around_(std::move(around)),
      usable_(client_mechanisms(options_, around_)) {}

void SaslClient::recv(const codec::FrameView& frame) {
    const auto decode_to = [&](auto body, auto handler) {
        if (body) {
            (this->*handler)(*body);
        } else {
            fail_malformed(body.error());
        }
    };
    if (frame.is(codec::descriptor::sasl_mechanisms) && chosen_ == nullptr) {
        decode_to(frame.as<codec::SaslMechanisms>(), &SaslClient::recv_mechanisms);
    } else if (frame.is(codec::descriptor::sasl_challenge) && chosen_ != nullptr) {
        decode_to(frame.as<codec::SaslChallenge>(), &SaslClient::recv_challenge);
    } else if (frame.is(codec::descriptor::sasl_outcome) && chosen_ != nullptr) {
        decode_to(frame.as<codec::SaslOutcome>(), &SaslClient::recv_outcome);
    } else {
        fail_unexpected(frame);
    }
}

void SaslClient::recv_mechanisms(const codec::SaslMechanisms& offered) {
    bool in_the_clear = false;
    std::string not_ready;
    for (const SaslMechanism& mechanism : usable_) {
        const auto& names = offered.sasl_server_mechanisms;
        if (std::none_of(names.begin(), names.end(), [&](const auto& name) { return name == mechanism.name; }))
            continue;
        if (mechanism.sends_password && !around_.private_stream && !options_.allow_cleartext_password) {
            in_the_clear = true;
            continue;
        }
        exchange_ = mechanism.make_client();
        if (exchange_->ready()) {
            chosen_ = &mechanism;
            break;
        }
        not_ready += fmt::format("; {} cannot be used here: {}", mechanism.name, exchange_->reason());
    }
    if (chosen_ == nullptr && in_the_clear) {
        return fail(Errc::cleartext_refused, Initiator::us,
                    fmt::format("the {} of {} would go over an unencrypted connection: use TLS (amqps), or set "
                                "sasl.allow_cleartext_password",
                                options_.token ? "token" : "password", who()) +
                        not_ready);
    }
    if (chosen_ == nullptr) {
        std::string usable;
        for (const SaslMechanism& mechanism : usable_)
            usable += fmt::format("{}{}", usable.empty() ? "" : ", ", mechanism.name);
        if (!has_cyrus()) not_ready += "; there is no Cyrus SASL in this build (CMake's APROTIC_WITH_CYRUS)";
        return fail(
            Errc::no_common_mechanism, Initiator::us,
            fmt::format("the server offers the SASL mechanisms {}; usable for {} would be {} (sasl.mechanisms, "
                        "sasl.username, sasl.password){}",
                        join(offered.sasl_server_mechanisms), who(), usable.empty() ? "none" : usable, not_ready));
    }
    codec::SaslInit init;
    init.mechanism = codec::Symbol(chosen_->name);
    if (auto response = exchange_->initial_response()) init.initial_response = codec::Binary(std::move(*response));
    init.hostname = hostname_;
    if (!send(init)) send_oversized();
    if (init.initial_response) wipe(init.initial_response->span());
}

void SaslClient::recv_challenge(const codec::SaslChallenge& challenge) {
    auto response = exchange_->respond(challenge.challenge.text());
    if (!response) {
        const std::string reason = exchange_->reason();
        return fail(Errc::authentication_failed, Initiator::us,
                    fmt::format("the server's {} challenge is not acceptable{}{}", chosen_->name,
                                reason.empty() ? "" : ": ", reason));
    }
    codec::SaslResponse frame;
    frame.response = codec::Binary(std::move(*response));
    if (!send(frame)) send_oversized();
    wipe(frame.response.span());
}

void SaslClient::recv_outcome(const codec::SaslOutcome& outcome) {
    if (outcome.code == codec::SaslCode::ok) {
        if (!exchange_->finish(outcome.additional_data ? outcome.additional_data->text() : std::string_view())) {
            const std::string reason = exchange_->reason();
            return fail(Errc::authentication_failed, Initiator::us,
                        fmt::format("the server says ok but has not proved by {} that it knows {}{}{}", chosen_->name,
                                    who(), reason.empty() ? "" : ": ", reason));
        }
        PeerIdentity identity{.mechanism = chosen_->name,
                              .user = chosen_->name == "ANONYMOUS" ? std::string() : options_.username,
                              .tls = around_.tls};
        identity.sent_in_clear = chosen_->sends_password && !around_.private_stream;
        return succeed(std::move(identity), exchange_->security_layer());
    }
    std::string reason = exchange_->reason();
    if (!reason.empty()) reason = fmt::format(" ({})", reason);
    fail(Errc::authentication_failed, Initiator::peer,
         fmt::format("the server refused {} by {} with outcome {}{}: {}", who(), chosen_->name,
                     codec::name_of(outcome.code), reason, advice(outcome.code)));
}

/// [5.3.3-g] Codes 1 to 3 stay what they are without a change; 4 is worth another try.
std::string SaslClient::advice(codec::SaslCode code) const {
    if (code == codec::SaslCode::sys_temp) return "temporary, try again later";
    if (code != codec::SaslCode::auth) return "the server's fault, trying again will not help";
    if (chosen_->name == "ANONYMOUS") return "set sasl.username and sasl.password";
    if (chosen_->name == "EXTERNAL") return "our certificate (tls, certificate_file) is not that of somebody it knows";
    if (options_.token && chosen_->name != "PLAIN") return "check what sasl.token gives";
    return "check sasl.username and sasl.password";
}

void SaslClient::send_oversized() {
    fail(
        Errc::invalid_option, Initiator::us,
        fmt::format(
            "what {} needs to prove by {} does not fit a SASL frame of {} bytes: shorten sasl.username, sasl.password, "
            "the token or hostname, or raise sasl.cyrus.frame_size_max in both peers",
            who(), chosen_->name, options_.cyrus.frame_size_max));
}

std::string SaslClient::who() const {
    if (!options_.username.empty()) return fmt::format("user '{}'", options_.username);
    if (options_.token) return "the bearer of the token";
    return around_.has_certificate ? "the owner of the certificate" : "an anonymous user";
}

std::string SaslClient::progress() const {
    if (chosen_ == nullptr) return "before it offered SASL mechanisms";
    return fmt::format(
        "while it checked {} by {}: wrong credentials are the likely cause (sasl.username, sasl.password)", who(),
        chosen_->name);
}

// --- server --------------------------------------------------------------------------------------------------------

SaslServer::SaslServer(const SaslServerOptions& options, SaslSurroundings around, codec::Encoder& output)
    : SaslLayer(output, options.cyrus), around_(std::move(around)), offered_(server_mechanisms(options, around_)) {}

void SaslServer::start() {
    codec::SaslMechanisms mechanisms;
    for (const SaslMechanism& mechanism : offered_) mechanisms.sasl_server_mechanisms.emplace_back(mechanism.name);
    // [5.3.2-a] The list must not be empty. A server that lets nobody in names a mechanism and refuses it.
    if (mechanisms.sasl_server_mechanisms.empty()) mechanisms.sasl_server_mechanisms.emplace_back("PLAIN");
    if (!send(mechanisms)) {
        fail(Errc::invalid_option, Initiator::us, "the names of the mechanisms do not fit a SASL frame: offer fewer");
    }
}

void SaslServer::recv(const codec::FrameView& frame) {
    if (frame.is(codec::descriptor::sasl_init) && chosen_ == nullptr) {
        const auto init = frame.as<codec::SaslInit>();
        if (!init) return fail_malformed(init.error());
        recv_init(*init);
        if (init->initial_response) wipe(init->initial_response->span());
    } else if (frame.is(codec::descriptor::sasl_response) && chosen_ != nullptr) {
        const auto response = frame.as<codec::SaslResponse>();
        if (!response) return fail_malformed(response.error());
        step(response->response.text());
        wipe(response->response.span());
    } else {
        fail_unexpected(frame);
    }
}

void SaslServer::recv_init(const codec::SaslInit& init) {
    for (const SaslMechanism& mechanism : offered_) {
        if (init.mechanism == mechanism.name) chosen_ = &mechanism;
    }
    if (chosen_ == nullptr) {
        std::string names;
        for (const SaslMechanism& each : offered_) names += fmt::format("{}{}", names.empty() ? "" : ", ", each.name);
        return deny(Errc::no_common_mechanism,
                    fmt::format("the peer chose the SASL mechanism {}, which is not offered; offered: {} "
                                "(sasl_server.mechanisms)",
                                printable(init.mechanism.view()), names.empty() ? "none" : names));
    }
    exchange_ = chosen_->make_server();
    step(init.initial_response ? std::optional(init.initial_response->text()) : std::nullopt);
}

void SaslServer::step(std::optional<std::string_view> response) {
    using Kind = SaslServerExchange::Step::Kind;
    SaslServerExchange::Step next = exchange_->step(response);
    switch (next.kind) {
        case Kind::challenge: {
            codec::SaslChallenge challenge;
            challenge.challenge = codec::Binary(std::move(next.text));
            if (!send(challenge)) deny(Errc::authentication_failed, "our challenge does not fit a SASL frame");
            return;
        }
        case Kind::accepted: {
            codec::SaslOutcome outcome;
            if (!next.additional_data.empty()) outcome.additional_data = codec::Binary(std::move(next.additional_data));
            if (!send(outcome)) return deny(Errc::authentication_failed, "our last word does not fit a SASL frame");
            return succeed({chosen_->name, std::move(next.text), around_.tls}, exchange_->security_layer());
        }
        case Kind::denied: break;
    }
    deny(Errc::authentication_failed,
         fmt::format("the peer failed to authenticate by {}{}{}{}", chosen_->name,
                     next.text.empty() ? std::string() : fmt::format(" as user '{}'", printable(next.text)),
                     next.reason.empty() ? "" : ": ", next.reason));
}

/// [5.3.3-b, -j] One code for every way of being wrong.
void SaslServer::deny(Errc code, std::string text) {
    codec::SaslOutcome outcome;
    outcome.code = codec::SaslCode::auth;
    send(outcome);
    fail(code, Initiator::us, std::move(text));
}

std::string SaslServer::progress() const {
    return chosen_ == nullptr ? "before it chose a SASL mechanism" : "in the middle of authentication";
}

}  // namespace aprotic::engine::stack
