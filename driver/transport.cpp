#include <aprotic/driver/transport.hpp>

#include <fstream>
#include <future>
#include <map>
#include <stdexcept>
#include <utility>

#include <aprotic/codec/assert.hpp>
#include <aprotic/codec/dump.hpp>
#include <aprotic/codec/frame.hpp>
#include <aprotic/driver/bus/bus.hpp>
#include <aprotic/driver/bus/wait.hpp>
#include <aprotic/engine/broker.hpp>
#include <aprotic/engine/container.hpp>
#include <aprotic/engine/sasl_config.hpp>
#include <aprotic/engine/tls.hpp>
#include <aprotic/engine/trace.hpp>

namespace aprotic::driver {
namespace {

/// Who we are for a broker's operator, with the keys oslo.messaging uses. What the system does not tell is left out.
codec::Map process_properties() {
    codec::Map properties;
    const auto first_word = [](const char* path) {
        std::string word;
        std::ifstream(path) >> word;
        return word;
    };
    if (auto name = first_word("/proc/self/comm"); !name.empty())
        properties.set(codec::Symbol("process"), std::move(name));
    std::int64_t pid = 0;
    if (std::ifstream("/proc/self/stat") >> pid) properties.set(codec::Symbol("pid"), pid);
    if (auto node = first_word("/proc/sys/kernel/hostname"); !node.empty())
        properties.set(codec::Symbol("node"), std::move(node));
    return properties;
}

/// Frames as log records: what is inside of messages is left out, what a client answers in SASL never comes here.
class FrameLog final : public engine::TraceSink {
public:
    explicit FrameLog(LogHook log) : log_(std::move(log)) {}

    void frame(bool outgoing, std::span<const std::byte> bytes) override {
        std::string text = outgoing ? "sent " : "received ";
        const auto step = codec::FrameParser(UINT32_MAX).next(bytes);
        if (step.status == codec::FrameParser::Status::frame)
            text += codec::to_string(step.frame);
        else if (const auto header = codec::ProtocolHeader::parse(bytes))
            text += "protocol header " + std::to_string(header->id);
        else
            text += "what is no frame";
        log_({LogLevel::debug, "frame", std::move(text), {}});
    }

private:
    const LogHook log_;
};

/// Null without settings of Cyrus' own.
codec::Result<std::shared_ptr<const engine::SaslConfig>, std::string> sasl_config(const TransportOptions& options) {
    if (options.sasl_config_dir.empty() && options.sasl_config_name.empty())
        return std::shared_ptr<const engine::SaslConfig>();
    auto read = engine::SaslConfig::read(options.sasl_config_dir, options.sasl_config_name);
    if (!read) return "sasl_config_dir, sasl_config_name: " + read.error().text;
    return *read;
}

engine::ConnectionOptions connection_options(const TransportOptions& options, const TransportUrl& url,
                                             std::size_t host) {
    engine::ConnectionOptions result;
    result.container_id = options.container_name;
    result.idle_timeout = options.idle_timeout;
    result.connect_timeout = options.connect_timeout;
    if (options.connection_properties) result.properties = *options.connection_properties;
    // Where every link has a session of its own, the peer numbers its sessions as we do ours.
    constexpr std::uint16_t channel_max = 2047;
    result.limits.channel_max = channel_max;
    const bool rabbit =
        options.intermediary == Intermediary::rabbitmq_3 || options.intermediary == Intermediary::rabbitmq_4;
    if (!options.pseudo_vhost && !url.virtual_host.empty())
        result.hostname = rabbit ? "vhost:" + url.virtual_host : url.virtual_host;
    result.sasl.mechanisms = options.sasl_mechanisms;
    result.sasl.enabled = !options.sasl_mechanisms.empty() || !options.sasl_config_dir.empty() ||
                          !options.sasl_config_name.empty() || options.intermediary == Intermediary::rabbitmq_4 ||
                          options.intermediary == Intermediary::service_bus;
    result.sasl.allow_cleartext_password = options.allow_cleartext_password;
    if (host < url.hosts.size() && url.hosts[host].user) {
        result.sasl.username = *url.hosts[host].user;
        result.sasl.password = url.hosts[host].password.value_or("");
        if (!options.sasl_default_realm.empty() && result.sasl.username.find('@') == std::string::npos)
            result.sasl.username += "@" + options.sasl_default_realm;
    }
    return result;
}

/// Null without TLS. One for all connections, so that sessions are resumed.
codec::Result<std::shared_ptr<engine::TlsContext>, std::string> tls_context(const TransportOptions& options,
                                                                            const TransportUrl& url) {
    const Scheme* const scheme = options.schemes.find(url.scheme);
    const bool by_scheme = scheme != nullptr && scheme->tls;
    if (!by_scheme && !options.ssl && options.ssl_ca_file.empty() && options.ssl_cert_file.empty())
        return std::shared_ptr<engine::TlsContext>();
    engine::TlsOptions tls;
    tls.ca_file = options.ssl_ca_file;
    tls.certificate_file = options.ssl_cert_file;
    tls.key_file = options.ssl_key_file;
    tls.key_password = options.ssl_key_password;
    tls.insecure_skip_verification = options.ssl_insecure_skip_verification;
    auto made = engine::TlsContext::make_client(std::move(tls));
    if (!made) return made.error().text;
    return *made;
}

/// Whoever the URL names may come in, by any of its hosts; when it names nobody, everybody.
engine::SaslServerOptions who_may_come(const TransportOptions& options, const TransportUrl& url) {
    engine::SaslServerOptions sasl;
    sasl.mechanisms = options.sasl_mechanisms;
    std::map<std::string, std::string, std::less<>> users;
    for (std::size_t host = 0; host < url.hosts.size(); ++host)
        if (url.hosts[host].user) {
            const auto client = connection_options(options, url, host).sasl;
            users[client.username] = client.password;
        }
    sasl.required = !users.empty() || !options.sasl_mechanisms.empty();
    sasl.allow_anonymous = users.empty();
    if (!users.empty())
        sasl.password_of = [users = std::move(users)](std::string_view user) {
            const auto at = users.find(user);
            return at == users.end() ? std::optional<std::string>() : at->second;
        };
    return sasl;
}

/// Of servers that clients reach without a broker.
engine::TlsContext::Made server_tls_context(const TransportOptions& options) {
    engine::TlsOptions tls;
    tls.ca_file = options.ssl_ca_file;
    tls.certificate_file = options.ssl_cert_file;
    tls.key_file = options.ssl_key_file;
    tls.key_password = options.ssl_key_password;
    if (!options.ssl_ca_file.empty()) tls.client_certificate = engine::ClientCertificate::wanted;
    return engine::TlsContext::make_server(std::move(tls));
}

template <class T>
T or_throw(codec::Result<T, std::string> result, std::string_view what) {
    if (!result) throw std::invalid_argument(std::string(what) + ": " + result.error());
    if constexpr (!std::is_void_v<T>) return std::move(result).value();
}

}  // namespace

struct Transport::Impl {
    TransportOptions options;
    TransportUrl url;
    std::shared_ptr<engine::TlsContext> tls;
    std::shared_ptr<const engine::SaslConfig> sasl;
    std::shared_ptr<engine::TraceSink> trace;
    std::unique_ptr<engine::Container> container;
    bool owns_reactor = false;
    std::unique_ptr<engine::Broker> own_broker;
    engine::Broker* broker = nullptr;
    engine::Address listen_at;  ///< port 0: nowhere
    std::shared_ptr<bus::Bus> bus;

    /// `on` is null for a reactor of our own, `to` for a broker elsewhere or of our own.
    Impl(engine::Reactor* on, engine::Broker* to, std::string_view text, TransportOptions given)
        : options(std::move(given)),
          url(or_throw(TransportUrl::parse(text, options.schemes), "transport URL")),
          owns_reactor(on == nullptr),
          broker(to) {
        or_throw(apply_url_options(options, url), "transport URL");
        if (!options.connection_properties)
            options.connection_properties = owns_reactor ? process_properties() : codec::Map();
        or_throw(engine::validate(connection_options(options, url, 0)), "transport options");
        if (options.connection_retry_interval <= Duration::zero())
            throw std::invalid_argument("transport options: connection_retry_interval must be more than 0");
        if (options.reply_link_credit == 0 || options.rpc_server_credit == 0 || options.notify_server_credit == 0)
            throw std::invalid_argument(
                "transport options: reply_link_credit, rpc_server_credit and notify_server_credit must be at least 1");

        if (broker == nullptr && !url.is_embedded()) tls = or_throw(tls_context(options, url), "transport options");
        sasl = or_throw(sasl_config(options), "transport options");
        if (options.trace && options.log) trace = std::make_shared<FrameLog>(options.log);
        container = on != nullptr ? std::make_unique<engine::Container>(*on, options.container_name)
                                  : std::make_unique<engine::Container>(options.container_name);
        if (url.is_embedded() && broker == nullptr) {
            engine::BrokerOptions broker_options;
            broker_options.queue_patterns = {options.server_request_prefix, options.group_request_prefix};
            broker_options.topic_patterns = {options.broadcast_prefix};
            if (options.addressing_mode == AddressingMode::routable) {
                const std::string prefix = options.rpc_address_prefix + "/";
                broker_options.queue_patterns = {prefix + options.unicast_address, prefix + options.anycast_address,
                                                 options.notify_address_prefix + "/" + options.anycast_address};
                broker_options.topic_patterns = {prefix + options.multicast_address};
            }
            own_broker = std::make_unique<engine::Broker>(*container, std::move(broker_options));
            broker = own_broker.get();
        }
        std::vector<std::string> host_names;
        for (const auto& host : url.hosts) host_names.push_back(host.to_string());
        if (broker != nullptr) host_names = {"the broker in this process"};
        bus::Bus::Listen listen;
        if (url.is_direct()) {
            listen_at = or_throw(address_to_listen_at(), "option direct_listen");
            listen = [this](engine::HandlerFactory make_guest) { return accept(std::move(make_guest)); };
        }
        bus = bus::Bus::make(
            container->reactor(), options, url, std::move(host_names),
            [this](std::size_t host, std::shared_ptr<engine::ConnectionHandler> handler) {
                return connect(host, std::move(handler));
            },
            std::move(listen));
    }

    ~Impl() {
        if (owns_reactor) {
            APROTIC_ASSERT(!container->reactor().on_thread());  // a thread cannot wait for itself
            std::promise<void> shut;
            bus->close([&shut] { shut.set_value(); });
            shut.get_future().wait();
        } else {
            bus->close();
        }
        own_broker.reset();
        container.reset();
    }

    codec::Result<engine::Address, std::string> address_to_listen_at() const {
        const auto& first = url.hosts.front();
        if (!options.direct_listen.empty()) return engine::Address::parse(options.direct_listen, first.port);
        if (url.hosts.size() > 1) return engine::Address();
        return engine::Address{.host = first.host, .port = first.port};
    }

    /// Reactor's thread, as connect().
    codec::Result<engine::Listener, engine::Failure> accept(engine::HandlerFactory make_guest) {
        if (listen_at.port == 0)
            return engine::Failure{std::make_error_code(std::errc::invalid_argument),
                                   engine::Initiator::us,
                                   {},
                                   "the URL has several hosts; the option direct_listen says where to listen"};
        engine::ConnectionOptions accepted;
        accepted.idle_timeout = options.idle_timeout;
        accepted.connect_timeout = options.connect_timeout;
        if (options.connection_properties) accepted.properties = *options.connection_properties;
        accepted.trace = trace;
        accepted.sasl_server = who_may_come(options, url);
        accepted.sasl_server.cyrus.config = sasl;
        if (tls) {
            auto made = server_tls_context(options);
            if (!made) return made.error();
            accepted.tls.context = *made;
        }
        if (options.direct_accept) options.direct_accept(accepted);
        return container->listen(listen_at, std::move(accepted), std::move(make_guest));
    }

    /// Reactor's thread. Never called once the bus is closed, so not on an Impl that has gone.
    engine::Connection connect(std::size_t host, std::shared_ptr<engine::ConnectionHandler> handler) {
        auto to_host = connection_options(options, url, host);
        to_host.sasl.cyrus.config = sasl;
        to_host.trace = trace;
        if (broker != nullptr)
            return container->adopt(broker->connect_in_process(), false, std::move(to_host), std::move(handler));
        to_host.tls.context = tls;
        if (options.ssl_verify_vhost && !url.virtual_host.empty()) to_host.tls.server_name = url.virtual_host;
        if (const Scheme* const scheme = options.schemes.find(url.scheme); scheme->connect)
            return scheme->connect(*container, url.hosts[host], std::move(to_host), std::move(handler));
        const engine::Address address{.host = url.hosts[host].host, .port = url.hosts[host].port};
        return container->connect(address, std::move(to_host), std::move(handler));
    }
};

Transport::Transport(std::string_view url, TransportOptions options)
    : impl_(std::make_unique<Impl>(nullptr, nullptr, url, std::move(options))) {}

Transport::Transport(engine::Reactor& reactor, std::string_view url, TransportOptions options)
    : impl_(std::make_unique<Impl>(&reactor, nullptr, url, std::move(options))) {}

Transport::Transport(engine::Reactor& reactor, engine::Broker& broker, TransportOptions options)
    : impl_(std::make_unique<Impl>(&reactor, &broker, "embedded:", std::move(options))) {}

Transport::~Transport() = default;

Result<void> Transport::connect(Duration timeout) {
    const auto& bus = impl_->bus;
    if (bus->on_reactor_thread()) {
        CallFailure failure;
        failure.code = Errc::would_deadlock;
        failure.text = "connect on the reactor's own thread; the connection is made by itself when it is needed";
        return failure;
    }
    return bus::wait_for<void>([&](engine::Function<void(Result<void>)> done) {
        auto letter = std::make_shared<bus::Letter>();
        letter->kind = bus::Letter::Kind::connect;
        letter->timeout = timeout;
        letter->done = [done = std::move(done)](Result<Json> result) mutable {
            done(result ? Result<void>() : Result<void>(result.error()));
        };
        bus->submit(std::move(letter));
        return CallHandle();
    });
}

void Transport::close() { impl_->bus->close(); }

const TransportUrl& Transport::url() const noexcept { return impl_->url; }
const TransportOptions& Transport::options() const noexcept { return impl_->options; }
engine::Reactor& Transport::reactor() const noexcept { return impl_->container->reactor(); }
bool Transport::owns_reactor() const noexcept { return impl_->owns_reactor; }
const std::shared_ptr<bus::Bus>& Transport::bus() const noexcept { return impl_->bus; }

}  // namespace aprotic::driver
