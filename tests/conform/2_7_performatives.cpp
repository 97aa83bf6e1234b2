#include <algorithm>

#include "conform/context.hpp"
#include "conform/steps.hpp"
#include "conform/suite.hpp"
#include "conform/wire.hpp"

namespace aprotic::conform {
namespace {

using namespace codec::condition;

codec::Map nested_properties() {
    codec::Map properties;
    properties.set(codec::Symbol("com.example:conform"), codec::Value(codec::List{1, "two", codec::Map{{"k", 3.0}}}));
    return properties;
}

/// An open that is answered as any other: the field in it is none of the peer's business.
Case harmless_open(const std::string& id, std::string rule, std::string sends,
                   std::function<void(codec::Open&)> change) {
    return {.id = id,
            .rule = std::move(rule),
            .sends = std::move(sends),
            .accepts = "open, and the connection stands",
            .run = [change = std::move(change)](Context& t) {
                auto open = t.open();
                change(open.performative);
                Line& line = t.authenticated();
                line.header();
                line.send(open);
                line.expect_header();
                line.expect<codec::Open>();
                line.send(peer::begin());
                line.expect<codec::Begin>();
            }};
}

/// An open that a peer may take or refuse.
Case odd_container_id(const std::string& name, const std::string& id) {
    return {.id = "2.7.1-b/" + name,
            .level = Level::informative,
            .rule = "A container-id may be any string; a peer that cannot have it says so.",
            .sends = "open with a container-id that is " + name,
            .accepts = "open, or close with an error",
            .run = [id](Context& t) {
                Line& line = t.authenticated();
                line.header();
                line.send(t.open().container_id(id));
                line.expect_header();
                line.accept_one_of({ignores(), closes(), drops()});
            }};
}

Cases of_open() {
    Cases cases = {
        harmless_open("2.7.1-q/capabilities", "Capabilities that a peer does not know are passed over.",
                      "open with two capabilities of our own, offered and desired",
                      [](codec::Open& open) {
                          open.offered_capabilities = {codec::Symbol("com.example:a"), codec::Symbol("com.example:b")};
                          open.desired_capabilities = open.offered_capabilities;
                      }),
        harmless_open("2.7.1-q/properties", "Properties that a peer does not know are passed over.",
                      "open with a property that is a list with a map in it",
                      [](codec::Open& open) { open.properties = nested_properties(); }),
        harmless_open("2.7.1-n", "Locales that a peer does not know are passed over.",
                      "open with the locales de-CH and x-klingon, outgoing and incoming",
                      [](codec::Open& open) {
                          open.outgoing_locales = {codec::Symbol("de-CH")};
                          open.incoming_locales = {codec::Symbol("x-klingon"), codec::Symbol("de-CH")};
                      }),
        harmless_open("2.7.1-m", "A channel-max of 0 leaves one session.", "open with channel-max 0, then begin",
                      [](codec::Open& open) { open.channel_max = 0; }),
        harmless_open("2.7.1-g", "Without max-frame-size there is no limit.", "open without max-frame-size",
                      [](codec::Open& open) { open.max_frame_size = codec::protocol::frame_size_max_default; }),
        harmless_open("2.7.1-h/512", "Every max-frame-size from 512 on is legal.", "open with max-frame-size 512",
                      [](codec::Open& open) { open.max_frame_size = 512; }),
        odd_container_id("empty", ""),
        odd_container_id("1-kib-long", std::string(1024, 'x')),
        odd_container_id("not-ascii", "k\xC3\xB6ln-\xF0\x9F\x90\x87"),
        {.id = "2.7.1-c",
         .level = Level::informative,
         .rule = "Two connections with one container-id are legal in themselves.",
         .sends = "open twice, on two connections, with the same container-id",
         .accepts = "two opens; brokers with exclusive client ids refuse one with an error",
         .run =
             [](Context& t) {
                 Line& first = t.opened();
                 Line& second = t.authenticated();
                 second.header();
                 second.send(t.open());
                 second.expect_header();
                 second.accept_one_of({closes(), drops(), ignores()});
                 first.send(peer::begin());
                 const Heard heard = first.hear();
                 t.took(heard.is(codec::descriptor::begin) ? "the first stays" : "the first: " + heard.text());
             }},
        {.id = "2.7.1-i/announced",
         .rule = "A frame above the peer's max-frame-size closes the connection, as soon as its SIZE is known.",
         .sends = "the header of a frame one octet above the peer's max-frame-size, and nothing behind it",
         .accepts =
             "close with framing-error; another error or the end of the stream alone is not strict, nor is waiting for "
             "the rest",
         .negative = true,
         .run =
             [](Context& t) {
                 Line& line = t.opened();
                 const std::uint32_t most = line.their_open->max_frame_size;
                 if (most == codec::protocol::frame_size_max_default) t.skip("the peer takes frames of any size");
                 line.may_probe = false;
                 line.raw(wire::be(most + 1ULL, 4) + wire::hex("02 00 0000"));
                 line.accept_one_of(refuses_announced());
             }},
        {.id = "2.7.1-i/whole",
         .rule = "A frame above the peer's max-frame-size closes the connection.",
         .sends = "a whole begin in a frame one octet above the peer's max-frame-size",
         .accepts = "close with framing-error; another error or the end of the stream alone is not strict",
         .negative = true,
         .run =
             [](Context& t) {
                 Line& line = t.opened();
                 const std::uint32_t most = line.their_open->max_frame_size;
                 if (most > 4 * 1024 * 1024) t.skip("the peer takes frames of more than 4 MiB");
                 if (most < codec::protocol::min_max_frame_size) t.skip("its max-frame-size is below 512");
                 line.may_probe = false;
                 line.raw(wire::be(most + 1ULL, 4) + wire::hex("02 00 0000") + std::string(most - 7ULL, '\0'));
                 line.accept_one_of(refuses_framing());
             }},
        {.id = "2.7.1-j",
         .rule = "A frame of exactly max-frame-size is taken.",
         .sends = "begin with properties that make the frame as large as the peer takes, 1 MiB at most",
         .accepts = "begin",
         .run =
             [](Context& t) {
                 Line& line = t.opened();
                 const std::uint32_t size = std::min(line.their_open->max_frame_size, 1024U * 1024U);
                 auto begin = peer::begin();
                 begin.property(codec::Symbol("com.example:fill"), std::string(300, 'x'));
                 const std::size_t more = size - begin.encode(0).size();
                 if (size < 1024) t.skip("the peer takes no frames above " + std::to_string(size) + " octets");
                 // Beyond 255 octets the fill and the map have the wide encodings already, or one of three octets more.
                 auto filled = [&](std::size_t octets) {
                     auto frame = peer::begin();
                     frame.property(codec::Symbol("com.example:fill"), std::string(octets, 'x'));
                     return frame;
                 };
                 auto frame = filled(300 + more);
                 const std::size_t over = frame.encode(0).size() - std::min<std::size_t>(frame.encode(0).size(), size);
                 frame = filled(300 + more - over);
                 line.require(frame.encode(0).size() == size, "a frame of that size can be made", "another size");
                 line.send(frame);
                 line.expect<codec::Begin>();
             }},
        {.id = "2.7.1-l",
         .rule = "A frame on a channel above the peer's channel-max closes the connection with framing-error.",
         .sends = "begin on channel-max + 1",
         .accepts = "close with framing-error; another error or the end of the stream alone is not strict",
         .negative = true,
         .run =
             [](Context& t) {
                 Line& line = t.opened();
                 const std::uint16_t highest = line.their_open->channel_max;
                 if (highest == codec::protocol::channel_max_default) t.skip("the peer takes every channel");
                 line.send(peer::begin().on_channel(static_cast<std::uint16_t>(highest + 1)));
                 line.accept_one_of(refuses_framing());
             }},
    };
    for (const unsigned size : {511U, 0U})
        cases.push_back({.id = "2.7.1-f/" + std::to_string(size),
                         .rule = "A max-frame-size below 512 is not legal.",
                         .sends = "open with max-frame-size " + std::to_string(size),
                         .accepts = "close with an error; the end of the stream alone, and taking it, are not strict",
                         .negative = true,
                         .run = [size](Context& t) {
                             Line& line = t.authenticated();
                             line.header();
                             line.send(t.open().max_frame_size(size));
                             line.expect_header();
                             line.accept_one_of({closes(), drops(), ignores().lenient()});
                         }});
    return cases;
}

Cases of_begin() {
    return {
        {.id = "2.7.2-f",
         .rule = "Capabilities and properties of a session that a peer does not know are passed over.",
         .sends = "begin with capabilities and a nested property of our own",
         .accepts = "begin",
         .run =
             [](Context& t) {
                 Line& line = t.opened();
                 auto begin = peer::begin();
                 begin.performative.desired_capabilities = {codec::Symbol("com.example:a")};
                 begin.performative.offered_capabilities = {codec::Symbol("com.example:b")};
                 begin.performative.properties = nested_properties();
                 line.send(begin);
                 line.expect<codec::Begin>();
             }},
        {.id = "2.7.2-c",
         .rule = "A handle above the peer's handle-max closes the connection with framing-error.",
         .sends = "attach with handle-max + 1",
         .accepts = "close with framing-error; other errors, in whatever scope, are not strict",
         .negative = true,
         .needs = {"queue"},
         .run =
             [](Context& t) {
                 Line& line = t.opened();
                 const std::uint32_t highest = line.begin().handle_max;
                 if (highest == codec::protocol::handle_max_default) t.skip("the peer takes every handle");
                 line.send(t.sender(t.queue(), highest + 1));
                 line.accept_one_of(
                     {closes({framing_error}), closes().lenient(), ends().lenient(), detaches().lenient(), drops()});
             }},
        {.id = "2.7.2-d",
         .rule = "Handles up to handle-max may be used, and need not be dense.",
         .sends = "attach with the peer's handle-max as handle",
         .accepts = "attach",
         .needs = {"queue"},
         .run =
             [](Context& t) {
                 Line& line = t.opened();
                 const std::uint32_t highest = line.begin().handle_max;
                 line.send(t.sender(t.queue(), highest));
                 line.expect<codec::Attach>();
             }},
    };
}

/// A frame on a session for a handle that no link has.
template <class Frame>
Case unattached(const std::string& id, const std::string& name, Frame frame) {
    return {.id = id,
            .rule = "Input for a handle that no link has ends the session with unattached-handle.",
            .sends = name + " with a handle that no link has",
            .accepts = "end with unattached-handle; other errors and scopes are not strict",
            .negative = true,
            .run = [frame](Context& t) {
                Line& line = t.mapped();
                line.send(frame);
                line.accept_one_of({ends({unattached_handle}), ends().lenient(), closes().lenient(), drops()});
            }};
}

Cases of_flow() {
    return {
        unattached("2.7.4-c", "flow", peer::flow().handle(55).link_credit(1)),
        unattached("2.6.2-e/transfer", "transfer",
                   peer::transfer(55).delivery_id(0).delivery_tag("t").message_format(0).payload("x")),
        unattached("2.6.2-e/detach", "detach", peer::detach(55).closed()),
        {.id = "2.7.4-a",
         .rule = "A peer that has seen begin says in its flows which transfer-id it expects next.",
         .sends = "begin, then flow with echo",
         .accepts = "flow with next-incoming-id; echo is a should, so no flow is not judged",
         .run =
             [](Context& t) {
                 Line& line = t.mapped(peer::begin().next_outgoing_id(7));
                 line.send(peer::flow().next_outgoing_id(7).echo());
                 const Heard heard = line.hear(t.timing().quiet * 8);
                 const auto flow = heard.as<codec::Flow>();
                 if (!flow) t.skip("no flow came: " + heard.text());
                 line.require(flow->next_incoming_id == 7U, "a flow with next-incoming-id 7", text_of(*flow));
             }},
        {.id = "2.7.4-d",
         .rule = "A flow without handle has no delivery-count, link-credit, available, drain or properties.",
         .sends = "flow with echo and without handle",
         .accepts = "a flow of the session alone, or of a link; echo is a should, so no flow is not judged",
         .run =
             [](Context& t) {
                 Line& line = t.mapped();
                 line.send(peer::flow().echo());
                 const Heard heard = line.hear(t.timing().quiet * 8);
                 const auto flow = heard.as<codec::Flow>();
                 if (!flow) t.skip("no flow came: " + heard.text());
                 const bool clean = !flow->delivery_count && !flow->link_credit && !flow->available && !flow->drain &&
                                    flow->properties.empty();
                 line.require(flow->handle || clean, "no fields of a link in a flow without handle", text_of(*flow));
             }},
        {.id = "2.6.7-p/session",
         .level = Level::should,
         .rule = "A flow with echo is answered with a flow.",
         .sends = "flow with echo and without handle",
         .accepts = "flow without echo",
         .clauses = {"2.6.7-q"},
         .run =
             [](Context& t) {
                 Line& line = t.mapped();
                 line.send(peer::flow().echo());
                 const auto flow = line.expect<codec::Flow>("it tells its state");
                 line.require(!flow->echo, "a flow that does not ask for an echo itself", text_of(*flow));
             }},
        {.id = "2.7.4-e",
         .rule =
             "Fields of a link in a flow without handle are an error of who writes it; the reader's reaction is open.",
         .sends = "flow with link-credit and without handle",
         .accepts = "an error, or nothing",
         .negative = true,
         .run =
             [](Context& t) {
                 Line& line = t.mapped();
                 line.send(peer::flow().link_credit(5));
                 line.accept_one_of(refuses() + Reactions{ignores()});
             }},
        {.id = "2.7.4-h",
         .rule = "Properties of a flow that a peer does not know are passed over.",
         .sends = "a flow of a link with a nested property, then a delivery",
         .accepts = "the delivery is accepted",
         .needs = {"queue"},
         .run =
             [](Context& t) {
                 Line& line = t.sending(t.queue());
                 auto flow = peer::flow().handle(0).delivery_count(0).link_credit(line.credit);
                 flow.performative.properties = nested_properties();
                 line.send(flow, Context::delivery(line));
                 expect_accepted(line, 0, "the flow is in order");
             }},
    };
}

Cases of_disposition_and_detach() {
    const auto odd = [](const std::string& id, std::string rule, std::string sends, peer::DispositionFrame frame,
                        Level level = Level::must) {
        return Case{.id = id,
                    .level = level,
                    .rule = std::move(rule),
                    .sends = std::move(sends),
                    .accepts = "nothing, or an error; the peer lives on",
                    .negative = true,
                    .tags = level == Level::must ? std::vector<std::string>{} : std::vector<std::string>{"burden"},
                    .run = [frame](Context& t) {
                        Line& line = t.mapped();
                        line.send(frame);
                        line.accept_one_of(refuses() + Reactions{ignores()});
                    }};
    };
    const auto receiver = codec::Role::receiver;
    return {
        odd("2.7.6-d/never-used", "A disposition of deliveries that were never sent has no effect.",
            "a disposition for delivery 1000", peer::disposition(receiver, 1000).settled().accepted()),
        odd("2.7.6-d/first-behind-last", "A range whose first is behind its last has no effect.",
            "a disposition for deliveries 9 to 2", peer::disposition(receiver, 9).last(2).settled().accepted()),
        odd("2.7.6-d/everything", "A range may be as wide as serial numbers are, and costs no time.",
            "a disposition for deliveries 0 to 2^31 - 1",
            peer::disposition(receiver, 0).last(0x7fff'ffff).settled().accepted(), Level::informative),
        odd("2.7.6-c", "The role tells whose deliveries are meant.",
            "a disposition of our deliveries, of which there are none",
            peer::disposition(codec::Role::sender, 0).settled()),
        odd("2.7.6-e", "A disposition without state that settles nothing is legal.",
            "a disposition without state and not settled", peer::disposition(receiver, 0)),
        {.id = "2.7.7-d",
         .rule = "A detach frees its handle at once for who sends it.",
         .sends = "detach, and attach of another link with the same handle, in one write",
         .accepts = "detach and attach, in any order",
         .needs = {"queue"},
         .run =
             [](Context& t) {
                 const std::string address = t.queue();
                 Line& line = t.sending(address);
                 line.send(peer::detach(0).closed(), t.sender(address, 0, "another"));
                 // Answers to two links need not come in the order of the questions.
                 bool detached = false, attached = false;
                 while (!detached || !attached) {
                     const Heard heard = line.hear();
                     const auto attach = heard.as<codec::Attach>();
                     detached = detached || heard.is(codec::descriptor::detach);
                     attached = attached || (attach && attach->name == "another");
                     const bool fine =
                         attach || heard.is(codec::descriptor::detach) || heard.is(codec::descriptor::flow);
                     if (!fine) line.fail("detach and attach", heard);
                 }
             }},
        {.id = "2.7.7-b/unknown-condition",
         .rule = "A detach with any error is answered with a detach.",
         .sends = "detach with the error com.example:conform",
         .accepts = "detach without error; the session goes on; to go for it, by close, is not strict",
         .needs = {"queue"},
         .clauses = {"2.8.14-c"},
         .run =
             [](Context& t) {
                 Line& line = t.sending(t.queue());
                 line.send(peer::detach(0).closed().error("com.example:conform", "told to"));
                 const auto detach = line.expect<codec::Detach>();
                 line.require(!detach->error, "a detach without error", text_of(*detach));
                 line.send(peer::end());
                 line.accept_one_of({answers<codec::End>("ends the session"), closes_in_order().lenient()});
             }},
        {.id = "2.7.3-q",
         .rule = "Capabilities and properties of a link that a peer does not know are passed over.",
         .sends = "attach with a capability desired and a nested property, both of our own",
         .accepts = "attach",
         .needs = {"queue"},
         .run =
             [](Context& t) {
                 Line& line = t.mapped();
                 auto attach = t.sender(t.queue());
                 attach.performative.desired_capabilities = {codec::Symbol("com.example:a")};
                 attach.performative.properties = nested_properties();
                 line.send(attach);
                 const auto theirs = line.expect<codec::Attach>();
                 line.require(theirs->target.has_value(), "an attach with a target", text_of(*theirs));
             }},
        {.id = "2.7.3-k",
         .rule = "The initial-delivery-count of a receiver is passed over.",
         .sends = "attach as receiver with initial-delivery-count 77; credit for one message of which there is one",
         .accepts = "attach, and the message",
         .needs = {"queue"},
         .run =
             [](Context& t) {
                 const std::string address = t.queue();
                 t.fill(address, 1);
                 Line& line = t.mapped();
                 const auto attach = line.attach_receiver(t.receiver(address).initial_delivery_count(77));
                 line.send(
                     peer::flow().handle(0).delivery_count(attach->initial_delivery_count.value_or(0)).link_credit(1));
                 line.expect<codec::Transfer>();
             }},
        {.id = "2.7.3-j",
         .rule = "A sender's attach has an initial-delivery-count.",
         .sends = "attach as sender without initial-delivery-count",
         .accepts = "detach, end or close with an error; taking it for 0 is not strict",
         .negative = true,
         .needs = {"queue"},
         .run =
             [](Context& t) {
                 Line& line = t.mapped();
                 auto attach = t.sender(t.queue());
                 attach.performative.initial_delivery_count.reset();
                 line.send(attach);
                 line.accept_one_of(refuses() + Reactions{ignores().lenient()});
             }},
    };
}

}  // namespace

Cases performatives() {
    Cases cases;
    for (auto* table : {of_open, of_begin, of_flow, of_disposition_and_detach})
        for (auto& one : table()) cases.push_back(std::move(one));
    return cases;
}

}  // namespace aprotic::conform
