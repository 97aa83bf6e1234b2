#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <vector>

#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <aprotic/codec/json.hpp>
#include <aprotic/driver/cli/connection_record.hpp>
#include <aprotic/driver/cli/tool.hpp>
#include <aprotic/driver/profile.hpp>
#include <aprotic/engine/container.hpp>

namespace aprotic::driver::cli {
namespace {

using Clock = ConnectionRecord::Clock;
using Texts = std::vector<std::string>;

constexpr std::size_t round_trips = 5;

std::string join(const Texts& texts) {
    std::string all;
    for (const auto& text : texts) all += (all.empty() ? "" : ", ") + text;
    return all.empty() ? "none" : all;
}

Texts texts_of(const std::vector<codec::Symbol>& symbols) {
    Texts texts;
    for (const auto& symbol : symbols) texts.push_back(symbol.str());
    return texts;
}

double milliseconds(std::chrono::nanoseconds time) {
    return std::round(std::chrono::duration<double, std::micro>(time).count()) / 1000;
}

std::string number(double value) { return Json(value).dump(); }

/// How the options that failures name are given.
struct OptionName {
    std::string_view engine;
    std::string_view here;
    std::string_view transport;  ///< in the query of a transport URL; empty: not there
};
constexpr std::array<OptionName, 12> option_names = {{
    {"tls.ca_file", "--tls-ca", "ssl_ca_file"},
    {"tls.certificate_file", "--tls-cert", "ssl_cert_file"},
    {"tls.key_file", "--tls-key", "ssl_key_file"},
    {"tls.key_password", "--tls-key-password", "ssl_key_password"},
    {"tls.server_name", "", "ssl_verify_vhost"},
    {"allow_cleartext_password", "--allow-cleartext-password", "allow_cleartext_password"},
    {"sasl.mechanisms", "--sasl-mechanism", "sasl_mechanisms"},
    {"sasl.cyrus.realm", "--sasl-realm", "sasl_default_realm"},
    {"sasl.cyrus.layer_bits_min", "--sasl-layer-bits", ""},
    {"sasl.cyrus.frame_size_max", "--sasl-frame-size", ""},
    {"connect_timeout", "--timeout", "connect_timeout"},
    {"proxy.username", "--proxy USER:PASSWORD@HOST:PORT", ""},
}};

/// What to try, where the failure's own text cannot know.
std::string_view advice_of(std::error_code code) {
    if (code.category() != engine::engine_category()) return {};
    switch (static_cast<engine::Errc>(code.value())) {
        case engine::Errc::resolve_failed: return "see the host in the URL, and this machine's name service";
        case engine::Errc::connect_failed:
            return "is the broker running, and is it this port? By custom amqp has 5672, amqps 5671, ws 80, wss 443";
        case engine::Errc::connect_timed_out:
            return "nothing came in time: a firewall may swallow it, or the port belongs to another protocol";
        case engine::Errc::no_common_mechanism:
            return "give the credentials that the offered mechanisms want, or have the broker offer others";
        case engine::Errc::authentication_failed: return "see user and password in the URL, and the broker's log";
        default: return {};
    }
}

/// One step after the other, in words and as data.
class Report {
public:
    explicit Report(const Output& out) : out_(out) {}

    void step(const std::string& name, const std::string& text, Json data) {
        Json object = {{"step", name}};
        object.update(data);
        std::string title = name;
        title.resize(std::max<std::size_t>(title.size() + 1, 14), ' ');
        out_.either(title + text, object);
    }
    void more(const std::string& text) const {
        if (!out_.json) out_.line(std::string(14, ' ') + text);
    }

private:
    const Output& out_;
};

/// Whether the address takes a connection; empty, or why not.
std::string try_address(const addrinfo& address, std::chrono::milliseconds patience) {
    const int fd = ::socket(address.ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return std::generic_category().message(errno);
    int error = ::connect(fd, address.ai_addr, address.ai_addrlen) == 0 ? 0 : errno;
    if (error == EINPROGRESS) {
        pollfd wait{fd, POLLOUT, 0};
        if (::poll(&wait, 1, static_cast<int>(patience.count())) == 1) {
            socklen_t size = sizeof error;
            if (::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0) error = errno;
        } else {
            error = ETIMEDOUT;
        }
    }
    ::close(fd);
    return error == 0 ? std::string() : std::generic_category().message(error);
}

std::string text_of(const addrinfo& address) {
    std::array<char, 80> host{};
    if (::getnameinfo(address.ai_addr, address.ai_addrlen, host.data(), host.size(), nullptr, 0, NI_NUMERICHOST) != 0)
        return "?";
    return host.data();
}

struct DoctorCommand {
    std::string url;
    double timeout = 10;
    Way way;

    Exit run(const Output& out) const {
        engine::Container container;
        engine::ConnectionOptions options;
        const auto record = std::make_shared<ConnectionRecord>();
        options.trace = record;
        options.connect_timeout = to_duration(timeout);
        // An anonymous peer wants to know too what else it could be.
        options.sasl.enabled = true;
        if (const auto done = use_way(options, url, way); !done) return out.fail(Exit::usage, done.error());
        Report report(out);
        engine::Connection connection;
        const auto began = Clock::now();
        try {
            connection = container.connect(url, options);
        } catch (const std::invalid_argument& error) {
            return out.fail(Exit::usage, error.what());
        }
        if (way.proxy.empty()) {
            examine_host(report, connection.peer_name());
        } else {
            report.step("proxy", "names are resolved there, and it connects", Json::object());
        }
        const auto opened = wait_open(connection, options);
        tell_handshake(report, record->seen(), began);
        if (!opened) return fail(report, out, opened.error());
        tell_peer(report, *record->seen().open);
        tell_profile(report, *record->seen().open, connection.peer_name());
        tell_protection(report, identity_of(container, connection));
        const auto failed = measure(report, connection, *record, options.connect_timeout);
        if (failed) return fail(report, out, *failed);
        connection.close();
        if (const auto closed = connection.wait_closed(options.close_timeout); !closed)
            return fail(report, out, closed.error());
        report.step("result", "all well", {{"well", true}});
        return Exit::ok;
    }

    void examine_host(Report& report, const std::string& peer) const {
        const auto address = engine::Address::parse(peer);
        if (!address || address->kind != engine::Address::Kind::tcp) return;
        addrinfo hints{};
        hints.ai_socktype = SOCK_STREAM;
        addrinfo* found = nullptr;
        const auto began = Clock::now();
        const int error = ::getaddrinfo(address->host.c_str(), std::to_string(address->port).c_str(), &hints, &found);
        const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owned(found, [](addrinfo* p) {
            if (p != nullptr) ::freeaddrinfo(p);
        });
        if (error != 0) {
            const std::string why = ::gai_strerror(error);
            return report.step("name", address->host + ": " + why, {{"host", address->host}, {"error", why}});
        }
        const double took = milliseconds(Clock::now() - began);
        Texts all;
        for (const addrinfo* p = found; p != nullptr; p = p->ai_next) all.push_back(text_of(*p));
        report.step("name", address->host + " is " + join(all) + " (" + number(took) + " ms)",
                    {{"host", address->host}, {"addresses", all}, {"milliseconds", took}});
        const auto patience =
            std::chrono::duration_cast<std::chrono::milliseconds>(to_duration(std::min(timeout, 5.0)));
        for (const addrinfo* p = found; p != nullptr; p = p->ai_next) {
            const auto start = Clock::now();
            const std::string why = try_address(*p, patience);
            const double time = milliseconds(Clock::now() - start);
            const std::string where = text_of(*p) + ", port " + std::to_string(address->port);
            Json data = {{"address", text_of(*p)}, {"port", address->port}, {"milliseconds", time}};
            if (!why.empty()) data["error"] = why;
            report.step("connect", where + (why.empty() ? " answers (" + number(time) + " ms)" : ": " + why), data);
        }
    }

    void tell_handshake(Report& report, const ConnectionRecord::Seen& seen, Clock::time_point began) const {
        if (seen.tls) {
            const auto& tls = *seen.tls;
            const double at = milliseconds(*seen.secured_at - began);
            report.step("tls",
                        tls.version + ", " + tls.cipher + (tls.protocol.empty() ? "" : ", " + tls.protocol) +
                            (tls.verified ? ", certificate verified" : ", CERTIFICATE NOT VERIFIED") + " (after " +
                            number(at) + " ms)",
                        {{"version", tls.version},
                         {"cipher", tls.cipher},
                         {"protocol", tls.protocol},
                         {"verified", tls.verified},
                         {"milliseconds", at}});
        }
        for (const auto& certificate : seen.chain) {
            report.step("certificate", certificate.subject.empty() ? "without a subject" : certificate.subject,
                        {{"subject", certificate.subject},
                         {"issuer", certificate.issuer},
                         {"hosts", certificate.hosts},
                         {"valid-from", certificate.valid_from},
                         {"valid-until", certificate.valid_until}});
            report.more("for " + certificate.hosts + ", issued by " + certificate.issuer);
            report.more("valid from " + certificate.valid_from + " until " + certificate.valid_until);
        }
        // What was to be said inside of TLS has not left where there is none.
        const bool said = seen.tls || !(url.starts_with("amqps://") || url.starts_with("wss://"));
        for (const auto& header : seen.headers)
            if (said)
                report.step("header", (header.outgoing ? "sent " : "received ") + header.text,
                            {{"sent", header.outgoing}, {"header", header.text}});
        if (!seen.mechanisms) return;
        std::string text = "offered " + join(*seen.mechanisms);
        Json data = {{"offered", *seen.mechanisms}};
        text += seen.mechanism ? ", used " + *seen.mechanism : ", none of which we can use";
        if (seen.mechanism) data["used"] = *seen.mechanism;
        if (seen.outcome) {
            text += ", outcome " + *seen.outcome;
            data["outcome"] = *seen.outcome;
        }
        report.step("sasl", text, data);
    }

    static engine::PeerIdentity identity_of(const engine::Container& container, const engine::Connection& connection) {
        std::promise<engine::PeerIdentity> identity;
        container.reactor().post([&] { identity.set_value(connection.identity()); });
        return identity.get_future().get();
    }

    static void tell_protection(Report& report, const engine::PeerIdentity& identity) {
        const unsigned bits = identity.sasl_layer_bits;
        if (bits > 0)
            report.step("sasl layer", bits == 1 ? "integrity" : "encryption of " + std::to_string(bits) + " bits",
                        {{"bits", bits}});
        if (!identity.sent_in_clear) return;
        report.step("warning", "the password or token went out where others can read it: amqps keeps it from them",
                    {{"sent-in-clear", true}});
    }

    static void tell_peer(Report& report, const codec::Open& open) {
        std::string properties;
        codec::append_json(properties, open.properties, {.form = codec::JsonForm::plain});
        report.step("container", open.container_id, {{"container-id", open.container_id}});
        report.step("properties", properties, {{"properties", Json::parse(properties, nullptr, false)}});
        report.step(
            "capabilities",
            "offers " + join(texts_of(open.offered_capabilities)) + "; desires " +
                join(texts_of(open.desired_capabilities)),
            {{"offered", texts_of(open.offered_capabilities)}, {"desired", texts_of(open.desired_capabilities)}});
        Json limits = {{"max-frame-size", open.max_frame_size}, {"channel-max", open.channel_max}};
        std::string text = "frames up to " + std::to_string(open.max_frame_size) + " octets, " +
                           std::to_string(open.channel_max + 1U) + " sessions";
        if (open.idle_time_out && *open.idle_time_out > 0) {
            limits["idle-time-out"] = *open.idle_time_out;
            text += ", wants to hear from us every " + std::to_string(*open.idle_time_out) + " ms";
        } else {
            text += ", no idle time-out";
        }
        report.step("limits", text, limits);
    }

    /// How transports would deal with this peer, unless options say otherwise.
    static void tell_profile(Report& report, const codec::Open& open, const std::string& peer) {
        const auto address = engine::Address::parse(peer);
        const Profile profile = choose_profile({}, open, address ? address->host : std::string());
        std::string replies = "replies by a node that the peer makes";
        if (profile.reply_node == ReplyNode::direct) replies = "direct replies";
        if (profile.reply_node == ReplyNode::queue)
            replies = profile.reply_address.empty() ? "replies only with the option reply_address"
                                                    : "replies by " + profile.reply_address;
        const std::string name(name_of(profile.intermediary));
        report.step("profile",
                    name + ": " + (profile.routable ? "routable" : "legacy") + " addresses as " +
                        profile.queue_address + ", fanouts " + profile.topic_address + ", " + replies,
                    {{"profile", name},
                     {"routable", profile.routable},
                     {"queue-address", profile.queue_address},
                     {"topic-address", profile.topic_address},
                     {"reply-address", profile.reply_address}});
        report.more("docs/intermediaries; the option intermediary chooses another");
    }

    /// A session begun and answered is the shortest thing that every peer has to do. It takes a link to have one: the
    /// anonymous one names no node, and whether it is refused does not matter.
    static std::optional<engine::Failure> measure(Report& report, const engine::Connection& connection,
                                                  const ConnectionRecord& record, std::chrono::nanoseconds patience) {
        for (std::size_t i = 0; i < round_trips; ++i) {
            const auto session = connection.open_session();
            const auto link = session.open_sender("");
            const bool begun = record.wait([i](const auto& seen) { return seen.round_trips.size() > i; }, patience);
            session.end();
            const bool ended =
                begun && record.wait([i](const auto& seen) { return seen.sessions_ended > i; }, patience);
            if (ended) continue;
            engine::Failure failure;
            failure.code = engine::Errc::timed_out;
            failure.text = std::string("the peer opened the connection but did not answer ") +
                           (begun ? "an end" : "a begin") + " within connect_timeout";
            return failure;
        }
        auto times = record.seen().round_trips;
        std::sort(times.begin(), times.end());
        const double median = milliseconds(times[times.size() / 2]);
        report.step("round trip",
                    number(median) + " ms, the median of " + std::to_string(times.size()) + " (" +
                        number(milliseconds(times.front())) + " to " + number(milliseconds(times.back())) + ")",
                    {{"milliseconds", median},
                     {"least", milliseconds(times.front())},
                     {"most", milliseconds(times.back())},
                     {"sessions", times.size()}});
        return std::nullopt;
    }

    static Exit fail(Report& report, const Output& out, const engine::Failure& failure) {
        const std::string text = failure.message();
        if (const auto advice = advice_of(failure.code); !advice.empty())
            report.step("advice", std::string(advice), {{"advice", advice}});
        for (const auto& option : option_names) {
            if (text.find(option.engine) == std::string::npos) continue;
            std::string names;
            if (!option.here.empty()) names = std::string(option.here) + " here";
            if (!option.transport.empty())
                names += (names.empty() ? "" : ", ") + std::string(option.transport) + " in a transport URL";
            report.step("option", std::string(option.engine) + " is " + names,
                        {{"option", option.engine}, {"here", option.here}, {"transport-url", option.transport}});
        }
        return out.fail(failure);
    }
};

}  // namespace

void add_doctor(Tool& tool) {
    auto options = std::make_shared<DoctorCommand>();
    CLI::App* command = tool.add("doctor", "Look at a broker step by step, and say what fails and what to change.",
                                 [options](const Output& out) { return options->run(out); });
    command->add_option("URL", options->url, "amqp://[user[:password]@]host[:port], amqps://, ws://, wss:// likewise")
        ->required();
    add_timeout(command, options->timeout, "longest wait for each step (default: 10)");
    add_way(command, options->way);
    command->footer("Nothing is sent to any address: one connection, and five sessions that are ended again.");
}

}  // namespace aprotic::driver::cli
