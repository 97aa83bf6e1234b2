#include "conform/context.hpp"
#include "conform/steps.hpp"
#include "conform/suite.hpp"
#include "conform/wire.hpp"

namespace aprotic::conform {
namespace {

using namespace codec::condition;
using codec::Role;

codec::Source source_at(const std::string& address) {
    codec::Source source;
    source.address = address;
    return source;
}

/// A link whose terminus has one field that is not what the type says.
Case broken_source(const std::string& which, const std::string& sends, std::size_t index, std::string octets,
                   bool may_ignore = false) {
    return {.id = which,
            .rule = "What a source's field cannot have is refused.",
            .sends = "a receiver whose source has " + sends,
            .accepts = std::string("detach, end or close with an error") +
                       (may_ignore ? "; attaching all the same is not strict" : ""),
            .negative = true,
            .needs = {"queue"},
            .run = [index, octets = std::move(octets), may_ignore](Context& t) {
                auto source = wire::fields_of(source_at(t.queue()));
                source[index].octets = octets;
                auto attach = wire::fields_of(t.receiver(t.queue()).performative);
                attach[5].octets = wire::composite(codec::descriptor::source, source);
                Line& line = t.mapped();
                line.raw(wire::frame(wire::composite(codec::descriptor::attach, attach)));
                const auto attaches =
                    answers<codec::Attach>("attaches it", [](const codec::Attach& a) { return a.source.has_value(); });
                Reactions reactions = refuses();
                if (may_ignore) reactions.push_back(attaches.lenient());
                line.accept_one_of(reactions);
            }};
}

Case dynamic(Role role) {
    const bool sends = role == Role::sender;
    return {.id = sends ? "3.5.4-b" : "3.5.3-b",
            .rule = "A node that was created at a link's request is told by its address.",
            .sends = sends ? "a sender to a dynamic target, and a message"
                           : "a receiver from a dynamic source, and a message to its address",
            .accepts = "attach with dynamic and an address, and the message arrives",
            .needs = {sends ? "dynamic-target" : "dynamic-source"},
            .run = [sends](Context& t) {
                Line& line = t.mapped();
                codec::Source source;
                codec::Target target;
                source.dynamic = target.dynamic = true;
                line.send(sends ? sender_to(target) : receiver_from(source));
                const auto attach = line.expect<codec::Attach>("for a dynamic node");
                const auto* theirs = attach->target ? std::get_if<codec::Target>(&*attach->target) : nullptr;
                const std::string text = text_of(*attach);
                std::string address;
                if (sends) {
                    if (theirs == nullptr) t.skip("the peer refuses dynamic targets: " + text);
                    line.require(theirs->dynamic && theirs->address && !theirs->address->empty(),
                                 "a target with dynamic and an address", text);
                    address = *theirs->address;
                } else {
                    if (!attach->source) t.skip("the peer refuses dynamic sources: " + text);
                    line.require(
                        attach->source->dynamic && attach->source->address && !attach->source->address->empty(),
                        "a source with dynamic and an address", text);
                    address = *attach->source->address;
                }
                t.note("the address is " + address);
                if (address.find(sends ? "sender" : "receiver") == std::string::npos)
                    t.note("the address does not contain the link's name, which it should [3.5.3-c]");
                if (sends) return;
                line.send(peer::flow().no_next_incoming_id().handle(0).link_credit(1));
                Line& other = t.sending(address);
                other.send(Context::delivery(other, "to the dynamic node"));
                line.expect<codec::Transfer>("what was sent to its address");
            }};
}

Cases sources() {
    return {
        {.id = "3.5.2-a",
         .rule = "A link that copies leaves the messages where they are.",
         .sends = "a receiver with distribution-mode copy on a queue with 3 messages, and then one without",
         .accepts = "3 deliveries for both",
         .needs = {"queue", "copy"},
         .clauses = {"3.5.2-b"},
         .run =
             [](Context& t) {
                 t.fill(t.queue(), 3);
                 auto source = source_at(t.queue());
                 source.distribution_mode = codec::StdDistMode::copy;
                 Receiver browser(t, receiver_from(source));
                 if (browser.attach.source->distribution_mode != codec::StdDistMode::copy)
                     t.skip("the peer's attach does not have distribution-mode copy");
                 browser.grant(10);
                 browser.expect_deliveries(3, "every message once");
                 Receiver receiver(t, t.queue());
                 receiver.grant(10);
                 receiver.expect_deliveries(3, "they were only copied");
             }},
        dynamic(Role::receiver),
        {.id = "3.5.3-g",
         .rule = "The answer has the filters that are in force: one that the peer does not know is not among them.",
         .sends = "a receiver with a filter com.example:conform",
         .accepts = "attach without the filter, or a refusal",
         .needs = {"queue"},
         .run =
             [](Context& t) {
                 auto source = source_at(t.queue());
                 source.filter.set(codec::Symbol("conform"),
                                   codec::Described(codec::Symbol("com.example:conform:string"), "x"));
                 Line& line = t.mapped();
                 line.send(receiver_from(source));
                 const auto without = [](const codec::Attach& a) {
                     return a.source && !a.source->filter.contains("conform");
                 };
                 const auto refused = [](const codec::Attach& a) { return !a.source; };
                 line.accept_one_of({answers<codec::Attach>("attaches without the filter", without),
                                     answers<codec::Attach>("refuses the link", refused), detaches(), ends().lenient(),
                                     closes().lenient()});
             }},
        {.id = "3.5.3-i",
         .rule = "Only messages for which the filter holds are sent.",
         .sends = "messages with the application property n from 0 to 3, and a receiver with the selector n > 1",
         .accepts = "the messages 2 and 3",
         .needs = {"queue", "filters"},
         .run =
             [](Context& t) {
                 Line& line = t.sending(t.queue());
                 for (int i = 0; i < 4; ++i) {
                     codec::Message message("message " + std::to_string(i));
                     message.application_properties.set("n", i);
                     auto frame = Context::delivery(line);
                     frame.octets = {};
                     line.send(frame.message(message).settled());
                 }
                 line.finish();
                 auto source = source_at(t.queue());
                 source.filter.set(codec::Symbol("selector"),
                                   codec::Described(codec::Symbol("apache.org:selector-filter:string"), "n > 1"));
                 Receiver receiver(t, receiver_from(source));
                 if (!receiver.attach.source->filter.contains("selector"))
                     t.skip("the peer's attach does not have the filter");
                 receiver.grant(10);
                 for (const char* due : {"message 2", "message 3"}) {
                     const std::string body = text_in(receiver, receiver.take("n is above 1"));
                     receiver.line.require(body == due, due, body);
                 }
                 receiver.expect_deliveries(0, "for the others the filter does not hold");
             }},
        {.id = "3.5.3-k",
         .rule = "Where a source names neither outcomes nor a default, accepted is supported.",
         .sends = "a receiver whose source has an address alone, and accepted",
         .accepts = "the queue is empty",
         .needs = {"queue"},
         .run =
             [](Context& t) {
                 t.fill(t.queue(), 1);
                 Receiver receiver(t, receiver_from(source_at(t.queue())));
                 receiver.grant(1);
                 receiver.settle(receiver.take("one message, credit 1"), codec::Accepted{});
                 receiver.line.accept_one_of({ignores()});
                 Receiver other(t, t.queue());
                 other.grant(1);
                 other.expect_deliveries(0, "the message was accepted");
             }},
        {.id = "3.5.3-m",
         .rule = "A sender's source, and a receiver's target, may have all fields unset.",
         .sends = "a sender with a source without fields, and a receiver with a target without fields",
         .accepts = "attach with the peer's terminus for both",
         .needs = {"queue"},
         .run =
             [](Context& t) {
                 Line& line = t.mapped();
                 line.send(t.sender(t.queue()).source(codec::Source{}),
                           t.receiver(t.queue(), 1).target(codec::Target{}));
                 for (int i = 0; i < 2; ++i) {
                     const auto attach = line.expect<codec::Attach>();
                     const bool has =
                         attach->role == Role::receiver ? attach->target.has_value() : attach->source.has_value();
                     line.require(has, "the peer's terminus", text_of(*attach));
                 }
             }},
        {.id = "3.5.3-o",
         .rule = "Capabilities that the peer does not know are not among those that it tells.",
         .sends = "a receiver whose source has the capability com.example:conform",
         .accepts = "attach without the capability, or a refusal",
         .needs = {"queue"},
         .run =
             [](Context& t) {
                 auto source = source_at(t.queue());
                 source.capabilities = {codec::Symbol("com.example:conform")};
                 Line& line = t.mapped();
                 line.send(receiver_from(source));
                 const auto fits = [](const codec::Attach& a) {
                     return !a.source || a.source->capabilities.empty() ||
                            a.source->capabilities.front() != "com.example:conform";
                 };
                 const auto echoed = [&](const codec::Attach& a) { return !fits(a); };
                 line.accept_one_of({answers<codec::Attach>("attaches without the capability", fits),
                                     answers<codec::Attach>("echoes the capability", echoed).lenient(), detaches(),
                                     ends().lenient(), closes().lenient()});
             }},
        broken_source("3.5.3-n", "a number as address", 0, wire::value(7U)),
        broken_source("3.5.5-d/durable", "durable 3", 1, wire::value(3U), true),
        broken_source("3.5.5-d/expiry-policy", "the expiry-policy com.example:never", 2,
                      wire::value(codec::Symbol("com.example:never")), true),
        broken_source("3.5.3-b/not-a-boolean", "a string as dynamic", 4, wire::value("yes")),
        broken_source(
            "3.5.8-a", "a filter with a string as key", 7,
            wire::value(codec::Map{{codec::Value("name"), codec::Value(codec::Described(codec::Symbol("x:y"), "z"))}}),
            true),
        broken_source("3.5.8-b", "a filter that is not described", 7,
                      wire::value(codec::Map{{codec::Value(codec::Symbol("name")), codec::Value("z")}}), true),
        broken_source("3.5.3-j/not-an-outcome", "the default-outcome 7", 8, wire::value(7U), true),
        dynamic(Role::sender),
        {.id = "3.5.3-a",
         .level = Level::informative,
         .rule = "Who asks for a dynamic node gives no address.",
         .sends = "a receiver with dynamic and an address",
         .accepts = "a refusal, or a node",
         .negative = true,
         .needs = {"dynamic-source"},
         .run =
             [](Context& t) {
                 auto source = source_at(t.queue());
                 source.dynamic = true;
                 Line& line = t.mapped();
                 line.send(receiver_from(source));
                 line.accept_one_of(refuses() + Reactions{answers<codec::Attach>("answers with attach")});
             }},
    };
}

}  // namespace

Cases sources_and_targets() { return sources(); }

}  // namespace aprotic::conform
