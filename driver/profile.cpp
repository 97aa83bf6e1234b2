#include <aprotic/driver/profile.hpp>

#include <algorithm>
#include <charconv>
#include <utility>

#include <aprotic/codec/performatives.hpp>

namespace aprotic::driver {
namespace {

struct PeerVersion {
    unsigned major = 0;
    unsigned minor = 0;
};

PeerVersion read_version(std::string_view text) {
    PeerVersion version;
    const char* const end = text.data() + text.size();
    const auto [rest, error] = std::from_chars(text.data(), end, version.major);
    if (error == std::errc() && rest != end && *rest == '.') std::from_chars(rest + 1, end, version.minor);
    return version;
}

std::string open_text(const codec::Map& properties, const char* key) {
    const codec::Value* const value = properties.find(key);
    return std::string(value != nullptr ? value->to_text().value_or("") : "");
}

bool offers(const codec::Open& peer, std::string_view capability) {
    return std::ranges::any_of(peer.offered_capabilities, [&](const auto& each) { return each == capability; });
}

/// By what the peer says. Who says that it is something and nothing we know is taken for a router, and who says nothing
/// for a broker with prefixes, as the original did.
Intermediary recognize(const codec::Open& peer, std::string_view product, std::string_view version,
                       std::string_view host) {
    if (product.empty())
        return host.ends_with(".servicebus.windows.net") ? Intermediary::service_bus : Intermediary::other;
    if (product == "qpid-cpp") return Intermediary::qpidd;
    if (product == "RabbitMQ") {
        const bool is_new = version.empty() ? offers(peer, "LINK_PAIR_V1_0") : read_version(version).major >= 4;
        return is_new ? Intermediary::rabbitmq_4 : Intermediary::rabbitmq_3;
    }
    if (product == "apache-activemq-artemis") return Intermediary::artemis;
    if (product == "ActiveMQ") return Intermediary::activemq;
    if (product.starts_with("Apache Qpid Broker-J")) return Intermediary::broker_j;
    return Intermediary::router;
}

Profile of_rabbitmq_3() {
    Profile profile;
    profile.encoding = NameEncoding::slash;
    profile.queue_address = "/queue/{name}";
    // Not by amq.topic: there a "*" or "#" in a name would be a pattern.
    profile.topic_address = "/exchange/amq.direct/{name}";
    profile.durable_targets = true;
    profile.durable_topics = false;
    profile.reply_node = ReplyNode::queue;
    profile.reply_address = "/queue/aprotic.reply.{id}";
    // A sender to this form makes no queue, so that an answer that comes too late leaves none behind.
    profile.reply_to_address = "/amq/queue/aprotic.reply.{id}";
    profile.modified = false;
    profile.session_per_link = true;
    return profile;
}

Profile of_rabbitmq_4(std::string_view version) {
    Profile profile;
    profile.encoding = NameEncoding::percent;
    profile.queue_address = "/queues/{name}";
    profile.topic_address = "/exchanges/amq.direct/{name}";
    profile.subscription_address = "/queues/{name}.{server}.{id}";
    profile.setup = NodeSetup::management;
    const PeerVersion is = read_version(version);
    const bool before_direct = !version.empty() && (is.major < 4 || (is.major == 4 && is.minor < 2));
    if (before_direct) {
        profile.reply_node = ReplyNode::queue;
        profile.reply_address = "/queues/aprotic.reply.{id}";
        // It has 64 sessions, and ends them for what later versions detach the link for.
        profile.session_per_link = true;
        profile.sessions_max = 40;
    } else {
        profile.reply_node = ReplyNode::direct;
        profile.reply_capabilities = {"rabbitmq:volatile-queue"};
        profile.reply_credit_min = 1000;
    }
    return profile;
}

Profile of(Intermediary intermediary, std::string_view version) {
    Profile profile;
    switch (intermediary) {
        case Intermediary::router:
            profile.routable = true;
            // Of what is settled and waits for a link it drops the oldest beyond 250 (linkCapacity).
            profile.settled_replies = false;
            break;
        case Intermediary::rabbitmq_3: profile = of_rabbitmq_3(); break;
        case Intermediary::rabbitmq_4: profile = of_rabbitmq_4(version); break;
        case Intermediary::artemis:
            profile.queue_capabilities = {"queue"};
            profile.topic_capabilities = {"topic"};
            profile.durable_topics = false;
            break;
        case Intermediary::activemq:
            profile.queue_address = "queue://{name}";
            profile.topic_address = "topic://{name}";
            profile.durable_topics = false;
            break;
        case Intermediary::service_bus:
            profile.subscription_address = "{name}/Subscriptions/{server}";
            profile.reply_node = ReplyNode::queue;
            profile.modified = false;
            break;
        case Intermediary::broker_j:
            // An exchange that every virtual host has, and a key: who takes from it has a queue of its own.
            profile.topic_address = "amq.direct/{name}";
            // Its rules say what is durable. A durable link is kept for good under its name, which is another each time.
            profile.durable_queues = profile.durable_topics = false;
            profile.durable_settled = false;
            break;
        case Intermediary::automatic:
        case Intermediary::qpidd:
        case Intermediary::other: break;
    }
    profile.intermediary = intermediary;
    return profile;
}

void take_given(std::string& value, const std::string& given) {
    if (!given.empty()) value = given;
}

void take_given(std::vector<codec::Symbol>& value, const std::vector<std::string>& given) {
    if (!given.empty()) value.assign(given.begin(), given.end());
}

}  // namespace

std::string_view name_of(Intermediary intermediary) noexcept {
    switch (intermediary) {
        case Intermediary::automatic: return "automatic";
        case Intermediary::qpidd: return "qpidd";
        case Intermediary::router: return "router";
        case Intermediary::rabbitmq_3: return "rabbitmq-3";
        case Intermediary::rabbitmq_4: return "rabbitmq-4";
        case Intermediary::artemis: return "artemis";
        case Intermediary::activemq: return "activemq";
        case Intermediary::broker_j: return "broker-j";
        case Intermediary::service_bus: return "service-bus";
        case Intermediary::other: return "other";
    }
    return "other";
}

Profile choose_profile(const TransportOptions& options, const codec::Open& peer, std::string_view host) {
    const std::string product = open_text(peer.properties, "product");
    const std::string version = open_text(peer.properties, "version");
    const Intermediary intermediary = options.intermediary == Intermediary::automatic
                                          ? recognize(peer, product, version, host)
                                          : options.intermediary;
    Profile profile = of(intermediary, version);
    profile.product = product;
    profile.version = version;
    if (options.addressing_mode != AddressingMode::dynamic)
        profile.routable = options.addressing_mode == AddressingMode::routable;
    take_given(profile.queue_address, options.queue_address);
    take_given(profile.topic_address, options.topic_address);
    take_given(profile.subscription_address, options.subscription_address);
    take_given(profile.queue_capabilities, options.queue_capabilities);
    take_given(profile.topic_capabilities, options.topic_capabilities);
    if (!options.reply_address.empty()) {
        profile.reply_node = ReplyNode::queue;
        profile.reply_address = options.reply_address;
        profile.reply_to_address = options.reply_to_address;
        profile.reply_capabilities.clear();
    }
    if (!options.access_token.empty() || options.make_access_token) profile.setup = NodeSetup::tokens;
    profile.sessions_max = std::min<std::size_t>(profile.sessions_max, peer.channel_max / 2U);
    if (options.adjust_profile) options.adjust_profile(profile, peer);
    return profile;
}

}  // namespace aprotic::driver
