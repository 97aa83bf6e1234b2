#include <algorithm>
#include <set>

#include "conform/served.hpp"

/// What clients send and settle. [2.6.12] [2.7.5] [2.7.6]
namespace aprotic::conform {
namespace {

using namespace codec::condition;
using codec::Role;

/// The client's only message is dealt with. Whether it goes then, or tries again, or waits, is the program's affair.
void stays_or_leaves(Served& s) {
    bool closes_itself = false;
    for (;;) {
        const Heard heard = s.line.hear(closes_itself ? s.line.timing.answer : s.line.timing.quiet * 5);
        if (heard.kind == Heard::Kind::end) break;
        if (heard.kind == Heard::Kind::nothing) {
            s.t.took("stays");
            s.line.send(peer::close());
            s.line.accept_one_of({closes_in_order(), drops()});
            return;
        }
        if (heard.kind != Heard::Kind::frame || !heard.condition().empty())
            s.line.fail("nothing, or to go in order", heard);
        closes_itself = true;
        if (const auto detach = heard.as<codec::Detach>()) s.line.send(peer::detach(0).closed(detach->closed));
        if (heard.is(codec::descriptor::end)) s.line.send(peer::end());
        if (heard.is(codec::descriptor::close)) {
            s.line.send(peer::close());
            break;
        }
    }
    s.t.took("goes");
    s.note_exit();
}

Case settled_with(const std::string& id, const std::string& name, std::optional<codec::DeliveryState> state) {
    return {.id = id,
            .rule = "Every outcome ends a delivery, and none of them ends more than that.",
            .sends = name + ", settled, for the only message of a client that sends",
            .accepts =
                "the client goes in order, and how its program ended is noted; or it stays, and the connection "
                "stands",
            .run = [state = std::move(state)](Context& t) {
                Served s(t, Served::sends());
                s.receiver().grant(1);
                const Arrived delivery = s.receiver().take("there is credit");
                auto disposition = peer::disposition(Role::receiver, delivery.id()).settled();
                if (state) disposition.state(*state);
                s.line.send(disposition);
                stays_or_leaves(s);
            }};
}

Cases sending() {
    codec::Modified modified;
    modified.delivery_failed = true;
    modified.undeliverable_here = true;
    return {
        {.id = "2.6.12-a/client",
         .rule = "Every delivery has a tag of at most 32 octets, and no two unsettled ones of a link have the same.",
         .sends = "credit for 50 messages, of which none is settled",
         .accepts = "50 tags, all different; delivery-ids that rise by one; message-format 0",
         .clauses = {"2.8.7-a", "2.7.5-a", "2.7.5-e", "2.7.5-f", "3.2.16-a"},
         .run =
             [](Context& t) {
                 Served s(t, Served::sends(50));
                 s.receiver().grant(50);
                 std::set<std::string> tags;
                 std::uint32_t due = 0;
                 for (int i = 0; i < 50; ++i) {
                     const Arrived delivery = s.receiver().take("there is credit");
                     s.line.require(delivery.first.delivery_id && delivery.first.delivery_tag,
                                    "delivery-id and delivery-tag", text_of(delivery.first));
                     s.line.require(i == 0 || delivery.id() == due, "delivery-id " + std::to_string(due),
                                    text_of(delivery.first));
                     due = delivery.id() + 1;
                     // Settled ones need none of their own. [2.6.12]
                     s.line.require(tags.insert(delivery.tag()).second || delivery.settled, "a tag of its own",
                                    text_of(delivery.first));
                     if (!delivery.first.message_format) t.took("leaves message-format out", Grade::lenient);
                     s.line.require(delivery.first.message_format.value_or(0) == 0, "message-format 0",
                                    text_of(delivery.first));
                     message_in(s.receiver(), delivery);
                 }
             }},
        {.id = "2.7.3-b/client",
         .rule = "What a sender's attach says of settled is what its transfers do.",
         .sends = "credit for a message",
         .accepts = "settled, unsettled or either, as the client's attach says",
         .clauses = {"2.7.5-i", "2.7.5-j"},
         .run =
             [](Context& t) {
                 Served s(t, Served::sends());
                 s.receiver().grant(1);
                 const Arrived delivery = s.receiver().take("there is credit");
                 const auto mode = s.their_attach.snd_settle_mode;
                 t.note("snd-settle-mode " + std::string(codec::name_of(mode)));
                 if (mode == codec::SenderSettleMode::mixed) return;
                 const bool settled = mode == codec::SenderSettleMode::settled;
                 s.line.require(delivery.settled == settled, settled ? "a settled delivery" : "an unsettled delivery",
                                text_of(delivery.first));
             }},
        {.id = "2.6.12-g/client",
         .level = Level::informative,
         .rule = "Where the receiver settles second, the sender's application settles, typically, once it knows the "
                 "outcome.",
         .sends = "attach with rcv-settle-mode second; accepted, not settled",
         .accepts = "a disposition by the sender that settles the delivery",
         .run =
             [](Context& t) {
                 Served s(t, Served::sends());
                 s.attaching = [](peer::AttachFrame& ours) { ours.rcv_settle_mode(codec::ReceiverSettleMode::second); };
                 s.receiver().grant(1);
                 const Arrived delivery = s.receiver().take("there is credit");
                 if (delivery.settled) t.skip("the client sends what is settled");
                 s.line.send(peer::disposition(Role::receiver, delivery.id()).accepted());
                 const auto settles = [&](const codec::Disposition& d) {
                     return d.role == Role::sender && d.settled && d.first == delivery.id();
                 };
                 s.line.accept_one_of({answers<codec::Disposition>("settles the delivery", settles),
                                       detaches().lenient(), ends().lenient(), closes_in_order().lenient()});
             }},
        {.id = "2.7.6-b/client",
         .rule = "A disposition settles a range of deliveries, with both of its ends.",
         .sends = "one disposition for five deliveries",
         .accepts = "the client goes in order",
         .run =
             [](Context& t) {
                 Served s(t, Served::sends(5));
                 s.receiver().grant(5);
                 std::uint32_t first = 0, last = 0;
                 for (int i = 0; i < 5; ++i) {
                     last = s.receiver().take("there is credit").id();
                     if (i == 0) first = last;
                 }
                 s.line.send(peer::disposition(Role::receiver, first).last(last).settled().accepted());
                 s.leaves_in_order();
             }},
        {.id = "2.7.6-b/client-backwards",
         .rule = "Deliveries are settled in whatever order the receiver likes.",
         .sends = "accepted for five deliveries, the last one first",
         .accepts = "the client goes in order",
         .clauses = {"2.6.12-d"},
         .run =
             [](Context& t) {
                 Served s(t, Served::sends(5));
                 s.receiver().grant(5);
                 std::vector<Arrived> all;
                 for (int i = 0; i < 5; ++i) all.push_back(s.receiver().take("there is credit"));
                 for (auto it = all.rbegin(); it != all.rend(); ++it) s.receiver().settle(*it, codec::Accepted{});
                 s.leaves_in_order();
             }},
        {.id = "2.7.6-d/client",
         .rule = "A disposition of what was never sent has no effect.",
         .sends = "dispositions of 1000 deliveries that are not, and of a range whose first is behind its last; "
                  "then credit",
         .accepts = "the message, as if nothing had been; an error is recorded",
         .negative = true,
         .run =
             [](Context& t) {
                 Served s(t, Served::sends());
                 s.attach().line.send(peer::disposition(Role::receiver, 500'000).last(501'000).settled().accepted(),
                                      peer::disposition(Role::receiver, 900'000).last(800'000).settled().accepted(),
                                      s.flow(1));
                 s.line.accept_one_of(
                     {answers<codec::Transfer>("sends its message"), ends().recorded(), closes().recorded(), drops()});
             }},
        {.id = "2.7.6-c/client",
         .rule = "role tells whose deliveries a disposition is about.",
         .sends = "a disposition of the sender's role with the id of the client's own delivery; then accepted",
         .accepts = "the client waits for the second, and goes in order",
         .run =
             [](Context& t) {
                 Served s(t, Served::sends());
                 s.receiver().grant(1);
                 const Arrived delivery = s.receiver().take("there is credit");
                 if (delivery.settled) t.skip("the client sends what is settled");
                 s.line.send(peer::disposition(Role::sender, delivery.id())
                                 .settled()
                                 .rejected("com.example:conform", "not meant for you"));
                 s.line.expect_nothing(t.timing().quiet * 2, "the client waits for the outcome of its delivery");
                 s.receiver().settle(delivery, codec::Accepted{});
                 s.leaves_in_order();
             }},
        {.id = "2.7.3-m/client",
         .rule = "A message above the partner's max-message-size is an error of the link, which a sender can foresee.",
         .sends = "attach with max-message-size 200, and credit, to a client with a message of 4000 octets",
         .accepts =
             "no more than 200 octets of it; an error, or the client goes; more of it, for the server to refuse, "
             "is not strict",
         .run =
             [](Context& t) {
                 Served s(t, Served::sends(1, 4000));
                 s.attaching = [](peer::AttachFrame& ours) { ours.max_message_size(200); };
                 s.attach().line.send(s.flow(1));
                 std::size_t octets = 0;
                 for (bool gone = false; !gone;) {
                     const Heard heard = s.line.hear(t.timing().quiet * 3);
                     if (heard.kind == Heard::Kind::nothing) break;
                     if (heard.kind == Heard::Kind::bad) s.line.fail("frames", heard);
                     if (heard.is(codec::descriptor::transfer)) octets += heard.view.payload.size();
                     gone = heard.kind == Heard::Kind::end || heard.is(codec::descriptor::close);
                 }
                 // The text says what an attempt results in, not that there must be none. [2.7.3]
                 if (octets > 200) t.took("sends " + std::to_string(octets) + " octets", Grade::lenient);
                 s.note_exit();
             }},
        settled_with("3.4.2-a/client", "accepted", codec::Accepted{}),
        settled_with("3.4.3-a/client", "rejected with an error",
                     codec::Rejected{peer::error_condition(precondition_failed, "not today")}),
        settled_with("3.4.3-a/client-no-error", "rejected without an error", codec::Rejected{}),
        settled_with("3.4.4-a/client", "released", codec::Released{}),
        settled_with("3.4.5-a/client", "modified with delivery-failed and undeliverable-here", modified),
        settled_with("2.7.6-f/client", "no state", std::nullopt),
    };
}

}  // namespace

Cases client_sending() { return of_clients(sending()); }

}  // namespace aprotic::conform
