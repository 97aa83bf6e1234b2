#include <aprotic/engine/broker/rabbit_personality.hpp>

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include <aprotic/engine/broker/rabbit_address.hpp>

namespace aprotic::engine::broker {
namespace {

constexpr std::string_view volatile_queue = "rabbitmq:volatile-queue";
constexpr std::string_view temporary_queue = "temporary-queue";

bool has(const std::vector<codec::Symbol>& capabilities, std::string_view one) {
    return std::ranges::any_of(capabilities, [&](const auto& each) { return each == one; });
}

void add(std::vector<codec::Symbol>& capabilities, std::string_view one) {
    if (!has(capabilities, one)) capabilities.emplace_back(one);
}

}  // namespace

void become_rabbit(BrokerOptions& options) {
    options.queue_patterns.clear();
    options.topic_patterns.clear();
    options.topics.clear();
    for (auto& queue : options.queues) queue = rabbit_queue_address(queue);
    ConnectionOptions& connection = options.connection;
    connection.properties.set(codec::Symbol("product"), "RabbitMQ");
    connection.properties.set(codec::Symbol("version"), "4.2.0");
    add(connection.offered_capabilities, "LINK_PAIR_V1_0");
    connection.sasl_server.required = true;
    connection.limits.frame_size_max = 128 * 1024;
    connection.limits.channel_max = 63;
    connection.limits.handle_max = 255;
    options.sender_credit = std::min<std::uint32_t>(options.sender_credit, 170);
}

codec::Result<std::shared_ptr<Node>, codec::ErrorCondition> RabbitPersonality::make_dynamic(
    const codec::Attach& attach) {
    const codec::Source* const source = attach.source ? &*attach.source : nullptr;
    const bool is_volatile = source != nullptr && has(source->capabilities, volatile_queue) &&
                             source->durable == codec::TerminusDurability::none &&
                             source->expiry_policy == codec::TerminusExpiryPolicy::link_detach &&
                             source->timeout == 0 && attach.snd_settle_mode == codec::SenderSettleMode::settled;
    const bool is_temporary = source != nullptr && has(source->capabilities, temporary_queue);
    if (!is_volatile && !is_temporary)
        return failed(codec::condition::not_implemented,
                      "a dynamic source needs the capability temporary-queue, or all that direct reply-to asks for");
    const std::string_view capability = is_volatile ? volatile_queue : temporary_queue;
    const std::string_view prefix = is_volatile ? "amq.rabbitmq.reply-to." : "amq.dyn-";
    auto node = table_.add({.address = rabbit_queue_address(fmt::format("{}{:016x}", prefix, reactor_.random())),
                            .kind = NodeKind::queue,
                            .lifetime = Lifetime::link,
                            .dynamic = true,
                            .keeps = !is_volatile,
                            .capabilities = {codec::Symbol(capability)}});
    if (!node) return failed(codec::condition::resource_limit_exceeded, "no more nodes can be made: nodes_max");
    return node;
}

}  // namespace aprotic::engine::broker
