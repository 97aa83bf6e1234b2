#include <aprotic/engine/broker/rabbit_links.hpp>

#include <optional>
#include <utility>

#include <fmt/format.h>

#include <aprotic/engine/broker/link_terminus.hpp>
#include <aprotic/engine/broker/rabbit_address.hpp>

namespace aprotic::engine::broker {
namespace {

namespace condition = codec::condition;
constexpr std::string_view management = "/management";

codec::ErrorCondition bad_address(const std::string& address) {
    // Shown as far as it helps; it is the peer's.
    constexpr std::size_t shown_max = 200;
    return failed(condition::invalid_field,
                  fmt::format("bad address '{}': /queues/:queue or /exchanges/:exchange/:key was expected",
                              address.substr(0, shown_max)));
}

/// To an exchange, or to what each message's `to` names.
class ExchangeLink final : public ReceiverHandler {
public:
    /// nullopt: the anonymous terminus.
    ExchangeLink(std::shared_ptr<LinkContext> context, std::optional<RabbitAddress> to)
        : context_(std::move(context)), to_(std::move(to)) {}

    void start(LinkRequest& request, const std::shared_ptr<ExchangeLink>& self) {
        ReceiverOptions options;
        options.credit = context_->options.sender_credit;
        options.link.snd_settle_mode = request.attach().snd_settle_mode;
        options.link.target = std::get<codec::Target>(*request.attach().target);
        receiver_ = request.accept_receiver(std::move(options), self);
        ++context_->totals.links_attached;
    }

    void on_message(Receiver&, Delivery& delivery) override {
        if (context_->over) return;
        context_->totals.octets_in += delivery.payload().size();
        const auto& view = delivery.message();
        if (!view.ok())
            return reject(delivery, failed(codec::condition_of(view.error()), std::string(view.error().message())));
        auto to = to_;
        if (!to) {
            const auto named = view.to();
            to = named ? parse_rabbit_address(*named) : std::nullopt;
            if (!to)
                return reject(delivery, failed(condition::precondition_failed,
                                               "a message to the anonymous terminus needs an address in 'to'"));
        }
        const std::string key = to->key ? *to->key : std::string(view.subject().value_or(""));
        std::size_t taken = 0;
        for (const auto& node : context_->rabbit->topology().route(to->exchange, key)) {
            Stored stored;
            stored.message = codec::EncodedMessage(delivery.payload(), delivery.message_format());
            stored.arrived = context_->reactor.now();
            const auto ttl = view.has_header() ? view.header().ttl : std::nullopt;
            if (ttl && *ttl != 0) stored.expires = stored.arrived + std::chrono::milliseconds(*ttl);
            if (node->take(std::make_unique<Stored>(std::move(stored))) == Node::Verdict::stored) ++taken;
        }
        // What reaches no queue comes back, where anybody can be told.
        ++(taken > 0 ? context_->totals.accepted : context_->totals.released);
        taken > 0 ? delivery.accept() : delivery.release();
    }

    void on_close(Receiver&, const std::optional<Failure>&) override { receiver_ = {}; }

private:
    void reject(Delivery& delivery, codec::ErrorCondition why) const {
        ++context_->totals.rejected;
        delivery.reject(std::move(why));
    }

    const std::shared_ptr<LinkContext> context_;
    const std::optional<RabbitAddress> to_;
    Receiver receiver_;
};

/// Whether it may use the queue; else it has been refused.
bool may_use(LinkContext& context, const RabbitGuest& guest, LinkRequest& request, const std::string& queue) {
    const auto* const known = context.rabbit->topology().find_queue(queue);
    if (known == nullptr || !known->exclusive || known->owner == &guest) return true;
    refuse(context, request,
           failed(condition::resource_locked, fmt::format("the queue '{}' is another connection's alone", queue)));
    return false;
}

std::shared_ptr<RabbitManagement> pair_of(const std::shared_ptr<LinkContext>& context, RabbitGuest& guest,
                                          LinkRequest& request) {
    const auto* const paired = request.attach().properties.find("paired");
    constexpr std::size_t pairs_max = 64;
    if (paired == nullptr || paired->get_if<bool>() == nullptr || !*paired->get_if<bool>()) {
        refuse(*context, request, failed(condition::invalid_field, "the link property 'paired' must be true"));
        return nullptr;
    }
    std::erase_if(guest.pairs, [](const auto& each) { return each.second->is_idle(); });
    auto& pair = guest.pairs[request.attach().name];
    if (!pair)
        pair = std::make_shared<RabbitManagement>(
            std::shared_ptr<RabbitTopology>(context, &context->rabbit->topology()), &guest);
    if (guest.pairs.size() <= pairs_max) return pair;
    guest.pairs.erase(request.attach().name);
    refuse(*context, request, failed(condition::resource_limit_exceeded, "too many management link pairs"));
    return nullptr;
}

}  // namespace

bool serve_rabbit_consumer(const std::shared_ptr<LinkContext>& context, const std::shared_ptr<RabbitGuest>& guest,
                           LinkRequest& request) {
    if (request.wants_dynamic()) return false;
    const std::string address = request.address().value_or("");
    if (address == management) {
        if (const auto pair = pair_of(context, *guest, request)) pair->accept_answers(request);
        return true;
    }
    const auto parsed = parse_rabbit_address(address);
    if (!parsed || !parsed->is_queue()) {
        refuse(*context, request, bad_address(address));
        return true;
    }
    return !may_use(*context, *guest, request, *parsed->key);
}

bool serve_rabbit_producer(const std::shared_ptr<LinkContext>& context, const std::shared_ptr<RabbitGuest>& guest,
                           LinkRequest& request) {
    const auto& target = request.attach().target;
    const auto* const node = target ? std::get_if<codec::Target>(&*target) : nullptr;
    if (node == nullptr || node->dynamic) {
        refuse(*context, request, failed(condition::not_implemented, "coordinators and dynamic targets are not here"));
        return true;
    }
    const auto attach_to = [&](std::optional<RabbitAddress> to) {
        const auto link = std::make_shared<ExchangeLink>(context, std::move(to));
        link->start(request, link);
        return true;
    };
    if (!node->address) return attach_to(std::nullopt);
    if (*node->address == management) {
        if (const auto pair = pair_of(context, *guest, request)) pair->accept_requests(request);
        return true;
    }
    const auto parsed = parse_rabbit_address(*node->address);
    if (!parsed) {
        refuse(*context, request, bad_address(*node->address));
        return true;
    }
    if (parsed->is_queue()) return !may_use(*context, *guest, request, *parsed->key);
    if (context->rabbit->topology().find_exchange(parsed->exchange) != nullptr) return attach_to(parsed);
    refuse(*context, request, failed(condition::not_found, fmt::format("no exchange '{}'", parsed->exchange)));
    return true;
}

}  // namespace aprotic::engine::broker
