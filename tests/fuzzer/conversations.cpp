#include "fuzzer/conversations.hpp"

#include <aprotic/codec/described_codec.hpp>
#include <aprotic/codec/terminus.hpp>
#include <aprotic/codec/transactions.hpp>

#include "peer/frames.hpp"

namespace aprotic::fuzzer {
namespace {

using codec::Role;

/// A script in the making.
class Draft {
public:
    explicit Draft(const Access& access, const std::string& container) : access_(access) {
        script_.steps = beginning(access, container);
    }

    template <class T, class Self>
    Draft& say(const peer::FrameOf<T, Self>& frame, std::string awaits = {}) {
        script_.steps.push_back({std::string(frame.encode(0).text()), {}, std::move(awaits)});
        return *this;
    }
    Draft& begin(std::uint16_t channel = 0) {
        return say(peer::begin().incoming_window(500).outgoing_window(500).on_channel(channel), "begin");
    }
    Draft& sender(std::uint32_t handle, const std::string& name, std::uint16_t channel = 0) {
        return say(peer::attach(Role::sender, handle, name)
                       .source("here")
                       .target(access_.address)
                       .initial_delivery_count(0)
                       .on_channel(channel),
                   "flow");
    }
    Draft& receiver(std::uint32_t handle, const std::string& name, std::uint16_t channel = 0) {
        return say(
            peer::attach(Role::receiver, handle, name).source(access_.address).target("here").on_channel(channel),
            "attach");
    }
    Draft& credit(std::uint32_t handle, std::uint32_t count, std::string awaits = {}) {
        return say(peer::flow().handle(handle).delivery_count(0).link_credit(count), std::move(awaits));
    }
    /// A whole unsettled message.
    Draft& message(std::uint32_t handle, std::uint32_t id, std::string_view body, std::string awaits = "disposition") {
        return say(peer::transfer(handle)
                       .delivery_id(id)
                       .delivery_tag("tag" + std::to_string(id))
                       .message_format(0)
                       .settled(false)
                       .message(letter(body)),
                   std::move(awaits));
    }
    Conversation close(std::string name) {
        say(peer::end(), "end");
        return only_close(std::move(name));
    }
    Conversation only_close(std::string name) {
        say(peer::close(), "close");
        return {std::move(name), std::move(script_)};
    }

    /// A message with every section.
    static codec::Message letter(std::string_view body) {
        codec::Message message{std::string(body)};
        message.header.emplace();
        message.header->durable = true;
        message.header->priority = 5;
        message.header->ttl = 60'000;
        message.delivery_annotations = codec::Map{{codec::Symbol("x-opt-fuzz"), 1U}};
        message.message_annotations = codec::Map{{codec::Symbol("x-opt-note"), "text"}};
        message.properties.emplace();
        message.properties->message_id = codec::MessageId(std::string("id"));
        message.properties->to = "to";
        message.properties->subject = "subject";
        message.properties->reply_to = "reply";
        message.properties->correlation_id = codec::MessageId(std::uint64_t{7});
        message.properties->content_type = codec::Symbol("text/plain");
        message.properties->absolute_expiry_time = codec::Timestamp{4'000'000'000'000};
        message.application_properties = codec::Map{{"key", "value"}, {"number", std::int64_t{5}}};
        message.footer = codec::Map{{codec::Symbol("x-end"), true}};
        return message;
    }

private:
    const Access& access_;
    Script script_;
};

Conversation sending(const Access& access) {
    Draft draft(access, "fuzz-sender");
    draft.begin().sender(0, "out");
    for (std::uint32_t id = 0; id < 3; ++id) draft.message(0, id, "body " + std::to_string(id));
    draft.say(peer::transfer(0).delivery_id(3).delivery_tag("settled").settled().message(Draft::letter("settled")));
    draft.say(peer::detach(0).closed(), "detach");
    return draft.close("send");
}

Conversation receiving(const Access& access) {
    Draft draft(access, "fuzz-receiver");
    draft.begin().sender(0, "out").message(0, 0, "one").message(0, 1, "two").message(0, 2, "three");
    draft.receiver(1, "in").credit(1, 2, "transfer");
    draft.say(peer::disposition(Role::receiver, 0).settled().accepted());
    draft.say(peer::disposition(Role::receiver, 1).last(1).settled().released());
    draft.say(peer::flow().handle(1).delivery_count(2).link_credit(10).drain(), "flow");
    codec::Modified modified;
    modified.delivery_failed = true;
    modified.undeliverable_here = true;
    modified.message_annotations = codec::Map{{codec::Symbol("x-opt-tried"), 1U}};
    draft.say(peer::disposition(Role::receiver, 0).last(5).settled().state(modified));
    draft.say(peer::detach(1).closed(), "detach");
    return draft.close("receive");
}

Conversation multiple_frames(const Access& access) {
    Draft draft(access, "fuzz-parts");
    draft.begin().sender(0, "out");
    const codec::Bytes whole = codec::encode(Draft::letter(std::string(900, 'x'))).octets().contiguous();
    const std::string_view text = whole.text();
    const auto part = [&](std::size_t from, std::size_t count) {
        return peer::transfer(0).payload(text.substr(from, count));
    };
    draft.say(part(0, 100).delivery_id(0).delivery_tag("parts").message_format(0).more());
    draft.say(part(100, 400).more());
    draft.say(part(500, text.size() - 500), "disposition");
    draft.say(part(0, 300).delivery_id(1).delivery_tag("aborted").more());
    draft.say(peer::transfer(0).aborted());
    draft.say(peer::detach(0).closed(), "detach");
    return draft.close("multiple frames");
}

Conversation windows(const Access& access) {
    Draft draft(access, "fuzz-windows");
    draft.begin().begin(1).begin(7);
    draft.say(peer::flow().incoming_window(0).echo(), "flow");
    draft.say(peer::flow().incoming_window(5).echo().on_channel(1), "flow");
    draft.receiver(0, "in").credit(0, 100).credit(0, 0);
    draft.say(peer::flow().handle(0).delivery_count(0).link_credit(5).drain().echo(), "flow");
    draft.say(peer::end().on_channel(7), "end");
    draft.say(peer::end().error(codec::condition::internal_error, "told to").on_channel(1), "end");
    return draft.close("windows");
}

Conversation suspended(const Access& access) {
    Draft draft(access, "fuzz-suspended");
    codec::Source source;
    source.address = access.address;
    source.durable = codec::TerminusDurability::unsettled_state;
    source.expiry_policy = codec::TerminusExpiryPolicy::never;
    source.timeout = 1;
    source.filter =
        codec::Map{{codec::Symbol("apache.org:selector-filter:string"),
                    codec::Value(codec::Described(codec::Symbol("apache.org:selector-filter:string"), "a = 1"))}};
    source.default_outcome = codec::Released{};
    source.outcomes = {codec::Symbol("amqp:accepted:list"), codec::Symbol("amqp:released:list")};
    auto attach =
        peer::attach(Role::sender, 4, "resumed").source(source).target(access.address).initial_delivery_count(0);
    attach.rcv_settle_mode(codec::ReceiverSettleMode::second);
    draft.begin().say(attach, "flow").message(4, 0, "kept", "disposition");
    draft.say(peer::detach(4), "detach");
    codec::Map unsettled;
    unsettled.append(codec::Binary("tag0"), codec::composite_to_value(codec::Accepted{}).value());
    unsettled.append(codec::Binary("other"), codec::Value());
    attach.performative.unsettled = std::move(unsettled);
    draft.say(attach, "flow");
    draft.say(
        peer::transfer(4).delivery_id(1).delivery_tag("other").resume().state(codec::Received{0, 10}).payload("x"));
    draft.say(peer::disposition(Role::sender, 0).last(1).settled().accepted());
    draft.say(peer::detach(4).closed().error(codec::condition::detach_forced), "detach");
    return draft.close("suspended link");
}

Conversation dynamic(const Access& access) {
    Draft draft(access, "fuzz-dynamic");
    codec::Source source;
    source.dynamic = true;
    source.dynamic_node_properties =
        codec::Map{{codec::Symbol("lifetime-policy"), codec::composite_to_value(codec::DeleteOnClose{}).value()}};
    draft.begin().say(peer::attach(Role::receiver, 0, "reply").source(source).target("here"), "attach");
    draft.say(peer::flow().handle(0).delivery_count(0).link_credit(10));
    draft.say(peer::attach(Role::sender, 1, "relay").source("here").initial_delivery_count(0).target(codec::Target{}),
              "flow");
    draft.message(1, 0, "to the relay");
    draft.say(peer::attach(Role::receiver, 2, "copy").source(access.address).target("here"), "attach");
    draft.say(peer::attach(Role::receiver, 3, "missing").source("fuzz-no-such-node").target("here"), "detach");
    draft.say(peer::detach(3).closed());
    return draft.close("dynamic nodes");
}

Conversation transactions(const Access& access) {
    Draft draft(access, "fuzz-transactions");
    auto control = peer::attach(Role::sender, 0, "control").source("here").initial_delivery_count(0);
    codec::Coordinator coordinator;
    coordinator.capabilities = {codec::Symbol(codec::txn_capability::local_transactions)};
    control.performative.target = codec::AttachTarget(coordinator);
    draft.begin().say(control, "flow");
    const auto order = [](std::uint32_t id, const auto& body) {
        return peer::transfer(0)
            .delivery_id(id)
            .delivery_tag("order" + std::to_string(id))
            .settled(false)
            .message(codec::Message(codec::composite_to_value(body).value()));
    };
    const codec::Binary mark{transaction_mark};
    draft.say(order(0, codec::Declare{}), "disposition").sender(1, "out");
    draft.say(peer::transfer(1)
                  .delivery_id(1)
                  .delivery_tag("inside")
                  .settled(false)
                  .state(codec::TransactionalState{.txn_id = mark, .outcome = {}})
                  .message(Draft::letter("inside")),
              "disposition");
    draft.say(order(2, codec::Discharge{.txn_id = mark, .fail = false}), "disposition");
    draft.say(order(3, codec::Declare{}), "disposition").receiver(2, "in").credit(2, 1, "transfer");
    draft.say(peer::disposition(Role::receiver, 0)
                  .settled()
                  .state(codec::TransactionalState{.txn_id = mark, .outcome = codec::Outcome(codec::Accepted{})}));
    draft.say(order(4, codec::Discharge{.txn_id = mark, .fail = true}), "disposition");
    draft.say(peer::detach(0).closed(), "detach");
    return draft.close("transactions");
}

Conversation pipelined(const Access& access) {
    Draft draft(access, "fuzz-pipelined");
    draft.say(peer::begin().incoming_window(1).outgoing_window(1));
    draft.say(peer::attach(Role::receiver, 0, "in").source(access.address).target("here"));
    draft.say(peer::flow().handle(0).delivery_count(0).link_credit(1));
    draft.say(peer::detach(0).closed());
    draft.say(peer::end());
    auto conversation = draft.only_close("pipelined");
    for (auto& step : conversation.script.steps)
        if (&step != &conversation.script.steps.back()) step.awaits.clear();
    return conversation;
}

/// A SASL layer that is asked for more than this access needs.
Conversation authentication(const Access& access) {
    Access other = access;
    if (other.sasl == Access::Sasl::none) other.sasl = Access::Sasl::anonymous;
    Draft draft(other, "fuzz-sasl");
    return draft.begin().close("sasl");
}

}  // namespace

std::vector<Step> beginning(const Access& access, const std::string& container) {
    std::vector<Step> steps;
    const auto header = [&](codec::ProtocolId id, std::string awaits) {
        const auto octets = codec::ProtocolHeader(id).serialise();
        steps.push_back({std::string(codec::as_text(octets)), {}, std::move(awaits)});
    };
    if (access.sasl != Access::Sasl::none) {
        header(codec::ProtocolId::sasl, "sasl-mechanisms");
        const bool plain = access.sasl == Access::Sasl::plain;
        const std::string login = std::string(1, '\0') + access.user + std::string(1, '\0') + access.password;
        const auto init = peer::sasl_init(plain ? "PLAIN" : "ANONYMOUS").initial_response(plain ? login : "fuzz");
        steps.push_back({std::string(init.encode(0).text()), {}, "sasl-outcome"});
    }
    header(codec::ProtocolId::amqp, "header");
    auto open = peer::open().container_id(container).max_frame_size(16 * 1024).channel_max(100).on_channel(0);
    if (!access.hostname.empty()) open.hostname(access.hostname);
    steps.push_back({std::string(open.encode(0).text()), {}, "open"});
    return steps;
}

std::vector<Conversation> conversations(const Access& access) {
    return {sending(access), receiving(access),    multiple_frames(access), windows(access),       suspended(access),
            dynamic(access), transactions(access), pipelined(access),       authentication(access)};
}

}  // namespace aprotic::fuzzer
