#include <aprotic/engine/broker/rabbit_management.hpp>

#include <utility>

#include <fmt/format.h>

#include <aprotic/engine/broker/rabbit_address.hpp>
#include <aprotic/engine/percent_encoding.hpp>

namespace aprotic::engine::broker {
namespace {

using Answer = RabbitManagement::Answer;

Answer no(int status, std::string why) { return {status, codec::Value(std::move(why))}; }

/// Reads the fields of a request's map; what is unknown or of another type is told.
class Fields {
public:
    explicit Fields(const codec::Value& body) : map_(body.get_if<codec::Map>()) {
        if (map_ == nullptr) error_ = "a map was expected";
    }
    template <class T>
    Fields& take(const char* key, T& into) {
        if (map_ == nullptr) return *this;
        const auto* const value = map_->find(key);
        if (value == nullptr) return *this;
        ++known_;
        if (const auto* typed = value->get_if<T>())
            into = *typed;
        else
            error_ = fmt::format("bad property {}", key);
        return *this;
    }
    /// nullopt: all of it was read.
    std::optional<std::string> error() const {
        if (!error_.empty()) return error_;
        if (map_ != nullptr && map_->size() != known_) return "a property that is not known";
        return std::nullopt;
    }

private:
    const codec::Map* map_;
    std::size_t known_ = 0;
    std::string error_;
};

std::optional<std::string> bad_name(std::string_view name) {
    if (name.empty()) return "an empty name is not allowed";
    if (name.starts_with("amq.")) return fmt::format("'{}' starts with reserved prefix 'amq.'", name);
    if (name.find_first_of("\r\n") != std::string_view::npos) return "line feed and carriage return are not allowed";
    return std::nullopt;
}

/// "src=e;dstq=q;key=k;args=" decoded.
std::optional<RabbitTopology::Binding> read_binding(std::string_view segment) {
    const auto part = [&segment](std::string_view name) -> std::optional<std::string> {
        if (!segment.starts_with(name)) return std::nullopt;
        segment.remove_prefix(name.size());
        const auto end = segment.find(';');
        auto value = percent_decoded(segment.substr(0, end));
        segment.remove_prefix(end == std::string_view::npos ? segment.size() : end + 1);
        return value;
    };
    auto source = part("src=");
    auto queue = source ? part("dstq=") : std::nullopt;
    auto key = queue ? part("key=") : std::nullopt;
    if (!key) return std::nullopt;
    return RabbitTopology::Binding{std::move(*source), std::move(*queue), std::move(*key)};
}

codec::Value message_count(std::size_t count) {
    codec::Map map;
    map.set("message_count", static_cast<std::uint64_t>(count));
    return map;
}

}  // namespace

struct RabbitManagement::Requests final : ReceiverHandler {
    explicit Requests(std::shared_ptr<RabbitManagement> its_pair) : pair(std::move(its_pair)) {}

    void on_message(Receiver& receiver, Delivery& delivery) override {
        if (!delivery.is_settled())
            return receiver.close(failed(codec::condition::not_implemented, "management requests must come settled"));
        pair->answer(delivery.message());
    }
    void on_close(Receiver&, const std::optional<Failure>&) override { pair->requests_ = {}; }

    const std::shared_ptr<RabbitManagement> pair;
};

struct RabbitManagement::Answers final : SenderHandler {
    explicit Answers(std::shared_ptr<RabbitManagement> its_pair) : pair(std::move(its_pair)) {}
    void on_close(Sender&, const std::optional<Failure>&) override { pair->answers_ = {}; }
    const std::shared_ptr<RabbitManagement> pair;
};

void RabbitManagement::accept_requests(LinkRequest& request) {
    if (request.attach().snd_settle_mode != codec::SenderSettleMode::settled)
        return request.refuse(failed(codec::condition::invalid_field, "snd-settle-mode must be settled"));
    ReceiverOptions options;
    constexpr std::uint32_t credit = 8;
    options.credit = credit;
    options.link.snd_settle_mode = codec::SenderSettleMode::settled;
    options.link.target = request.attach().target;
    options.link.properties = request.attach().properties;
    requests_ = request.accept_receiver(std::move(options), std::make_shared<Requests>(shared_from_this()));
}

void RabbitManagement::accept_answers(LinkRequest& request) {
    SenderOptions options;
    options.link.snd_settle_mode = codec::SenderSettleMode::settled;
    options.link.source = request.attach().source;
    options.link.properties = request.attach().properties;
    answers_ = request.accept_sender(std::move(options), std::make_shared<Answers>(shared_from_this()));
}

void RabbitManagement::answer(const codec::MessageView& view) {
    const auto request = view.to_message();
    const auto close = [this](std::string why) {
        if (requests_) requests_.close(failed(codec::condition::invalid_field, std::move(why)));
    };
    if (!request) return close("the request cannot be read");
    if (!request->properties || request->properties->reply_to != "$me") return close("reply-to must be $me");
    if (!answers_) return close("a request on half of a link pair");
    const auto* const value = std::get_if<codec::Value>(&request->body);
    if (value == nullptr) return close("the body must be an amqp-value");
    Answer found = handle(request->properties->subject.value_or(""), request->properties->to.value_or(""), *value);
    codec::Message answer{std::move(found.body)};
    answer.ensure_properties().subject = std::to_string(found.status);
    answer.properties->correlation_id = request->properties->message_id;
    answer.application_properties.set("http:response", "1.1");
    answers_.send(answer, {.settled = true});
}

Answer RabbitManagement::handle(std::string_view method, std::string_view target, const codec::Value& body) {
    constexpr std::string_view bindings = "/bindings/";
    constexpr std::string_view messages = "/messages";
    if (method == "POST" && target == "/bindings") return bind(body);
    if (method == "DELETE" && target.starts_with(bindings)) return unbind(target.substr(bindings.size()));
    const bool all_messages = method == "DELETE" && target.ends_with(messages);
    if (all_messages) target.remove_suffix(messages.size());
    const auto at = parse_rabbit_address(target);
    if (!at) return no(400, "the request names nothing that is here");
    if (at->is_queue()) {
        if (all_messages) return purge(*at->key);
        if (method == "PUT") return put_queue(*at->key, body);
        if (method == "GET") return get_queue(*at->key);
        if (method == "DELETE") return delete_queue(*at->key);
    } else if (!at->key) {
        if (method == "PUT") return put_exchange(at->exchange, body);
        if (method == "DELETE") {
            if (const auto bad = bad_name(at->exchange)) return no(403, *bad);
            topology_.remove_exchange(at->exchange);
            return {204, {}};
        }
    }
    return no(400, "the method is not one for this target");
}

Answer RabbitManagement::put_queue(const std::string& name, const codec::Value& body) {
    RabbitTopology::Queue queue;
    const auto error = Fields(body)
                           .take("durable", queue.durable)
                           .take("exclusive", queue.exclusive)
                           .take("auto_delete", queue.auto_delete)
                           .take("arguments", queue.arguments)
                           .error();
    if (error) return no(400, *error);
    if (const auto bad = bad_name(name)) return no(name.empty() ? 400 : 403, *bad);
    if (queue.exclusive) queue.owner = owner_;
    const auto declared = topology_.declare(name, queue);
    if (declared == RabbitTopology::Declared::full) return no(403, "the limit of queues is reached");
    if (declared == RabbitTopology::Declared::differs)
        return no(409, fmt::format("inequivalent properties of queue '{}'", name));
    Answer answer = get_queue(name);
    if (declared == RabbitTopology::Declared::made) answer.status = 201;
    return answer;
}

Answer RabbitManagement::get_queue(const std::string& name) const {
    const auto node = topology_.node(name);
    if (!node) return no(404, fmt::format("queue '{}' not found", name));
    const auto* const declared = topology_.find_queue(name);
    const RabbitTopology::Queue queue = declared != nullptr ? *declared : RabbitTopology::Queue{};
    codec::Map map;
    map.set("message_count", static_cast<std::uint64_t>(node->messages()));
    map.set("consumer_count", static_cast<std::uint32_t>(node->consumers()));
    map.set("name", name);
    map.set("vhost", "/");
    map.set("durable", queue.durable);
    map.set("auto_delete", queue.auto_delete);
    map.set("exclusive", queue.exclusive);
    map.set("type", "classic");
    map.set("arguments", queue.arguments);
    return {200, std::move(map)};
}

Answer RabbitManagement::delete_queue(const std::string& name) {
    const auto node = topology_.node(name);
    const std::size_t count = node ? node->messages() : 0;
    const auto* const declared = topology_.find_queue(name);
    if (declared != nullptr && declared->exclusive && declared->owner != owner_)
        return no(400, fmt::format("the queue '{}' is another connection's alone", name));
    topology_.remove_queue(name);
    return {200, message_count(count)};
}

Answer RabbitManagement::purge(const std::string& name) {
    const auto node = topology_.node(name);
    if (!node) return no(400, fmt::format("queue '{}' not found", name));
    return {200, message_count(node->purge())};
}

Answer RabbitManagement::put_exchange(const std::string& name, const codec::Value& body) {
    RabbitTopology::Exchange exchange;
    const auto error = Fields(body)
                           .take("durable", exchange.durable)
                           .take("auto_delete", exchange.auto_delete)
                           .take("type", exchange.type)
                           .take("internal", exchange.internal)
                           .take("arguments", exchange.arguments)
                           .error();
    if (error) return no(400, *error);
    if (exchange.type != "direct" && exchange.type != "fanout" && exchange.type != "topic")
        return no(400, fmt::format("unknown exchange type '{}'", exchange.type));
    if (topology_.find_exchange(name) == nullptr)
        if (const auto bad = bad_name(name)) return no(403, *bad);
    const auto declared = topology_.declare(name, std::move(exchange));
    if (declared == RabbitTopology::Declared::full) return no(403, "the limit of exchanges is reached");
    if (declared == RabbitTopology::Declared::differs)
        return no(409, fmt::format("inequivalent properties of exchange '{}'", name));
    return {204, {}};
}

Answer RabbitManagement::bind(const codec::Value& body) {
    RabbitTopology::Binding binding;
    codec::Map arguments;
    const auto error = Fields(body)
                           .take("source", binding.source)
                           .take("destination_queue", binding.queue)
                           .take("binding_key", binding.key)
                           .take("arguments", arguments)
                           .error();
    if (error) return no(400, *error);
    if (binding.source.empty()) return no(403, "operation not permitted on the default exchange");
    switch (topology_.bind(binding)) {
        case RabbitTopology::Bound::made: return {204, {}};
        case RabbitTopology::Bound::unknown:
            return no(400, fmt::format("no queue '{}' or no exchange '{}'", binding.queue, binding.source));
        case RabbitTopology::Bound::full: break;
    }
    return no(403, "the limit of bindings is reached");
}

Answer RabbitManagement::unbind(std::string_view segment) {
    const auto binding = read_binding(segment);
    if (!binding) return no(400, "bad binding path segment");
    topology_.unbind(*binding);
    return {204, {}};
}

}  // namespace aprotic::engine::broker
