#include <algorithm>
#include <set>

#include "conform/served.hpp"
#include "conform/wire.hpp"

/// What clients send and settle, and what they make of deliveries. [2.6.12] [2.6.14] [2.7.5] [2.7.6] [3]
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
         .level = Level::should,
         .rule = "Where the receiver settles second, the sender settles once it knows the outcome.",
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
         .rule = "A sender sends nothing above the partner's max-message-size.",
         .sends = "attach with max-message-size 200, and credit, to a client with a message of 4000 octets",
         .accepts = "no more than 200 octets of it; an error, or the client goes",
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
                 s.line.require(octets <= 200, "at most 200 octets", std::to_string(octets) + " octets");
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

/// A message in frames of at most `step` octets of payload.
std::string in_frames(Line& line, const codec::Bytes& message, std::size_t step, bool with_empty_ones = false) {
    const std::string octets(codec::as_text(message.span()));
    const auto whole = Context::delivery(line);
    std::string frames;
    const auto add = [&](const peer::TransferFrame& frame) { frames += codec::as_text(frame.encode(0).span()); };
    for (std::size_t at = 0; at < octets.size(); at += step) {
        auto frame = peer::transfer(0);
        if (at == 0) frame.performative = whole.performative;
        add(frame.more(at + step < octets.size() || with_empty_ones).payload(octets.substr(at, step)));
        if (with_empty_ones) add(peer::transfer(0).more());
    }
    if (with_empty_ones) add(peer::transfer(0));
    return frames;
}

/// The client receives what the server writes once there is credit, and accepts delivery `id`.
Case taken(const std::string& id, const std::string& rule, const std::string& sends,
           std::function<std::string(Line&)> octets, std::vector<std::string> clauses = {},
           std::uint32_t delivery = 0) {
    return {.id = id,
            .rule = rule,
            .sends = sends,
            .accepts = "accepted, or another outcome",
            .clauses = std::move(clauses),
            .run = [octets = std::move(octets), delivery](Context& t) {
                Served s(t, Served::receives());
                s.await_credit();
                s.line.raw(octets(s.line));
                const auto outcome = outcome_of(s.line, delivery);
                if (!is_accepted(outcome.state)) t.took("does not accept it: " + text_of(outcome), Grade::recorded);
            }};
}

/// What no receiver can make a delivery of.
Case not_taken(const std::string& id, const std::string& rule, const std::string& sends,
               std::function<std::string(Line&)> octets) {
    return {.id = id,
            .rule = rule,
            .sends = sends,
            .accepts = "detach, end or close with an error; taking it, and passing it over, are not strict",
            .negative = true,
            .run = [octets = std::move(octets)](Context& t) {
                Served s(t, Served::receives(2));
                if (s.await_credit() < 2) t.skip("the client gives credit for one delivery only");
                s.line.raw(octets(s.line));
                const auto takes = answers<codec::Disposition>("takes it for a delivery").lenient();
                answer_to_delivery(s.line, refuses() + Reactions{takes, ignores().lenient()});
            }};
}

std::string transfer_octets(const peer::TransferFrame& frame) {
    return std::string(codec::as_text(frame.encode(0).span()));
}

/// A message as its sections, octet by octet.
std::string with_payload(Line& line, std::string_view payload) {
    auto frame = Context::delivery(line);
    frame.octets = {};
    return transfer_octets(frame.payload(payload));
}

Cases receiving() {
    Cases cases = {
        {.id = "2.6.12-f/client",
         .rule = "A receiver that settles first settles a delivery with its outcome.",
         .sends = "an unsettled message",
         .accepts = "a disposition that is settled and has an outcome, of the receiver's role",
         .clauses = {"2.7.5-m"},
         .run =
             [](Context& t) {
                 Served s(t, Served::receives());
                 s.await_credit();
                 s.line.send(Context::delivery(s.line));
                 const auto outcome = outcome_of(s.line, 0);
                 if (s.their_attach.rcv_settle_mode == codec::ReceiverSettleMode::second) return;
                 s.line.require(outcome.settled && outcome.state, "a settled disposition with an outcome",
                                text_of(outcome));
             }},
        {.id = "2.6.12-e/client",
         .rule = "A delivery that was sent settled gets no disposition.",
         .sends = "a settled message, and then an unsettled one",
         .accepts = "a disposition for the second alone",
         .run =
             [](Context& t) {
                 Served s(t, Served::receives(2));
                 if (s.await_credit() < 2) t.skip("the client gives credit for one delivery only");
                 const auto settled = Context::delivery(s.line).settled();
                 s.line.send(settled, Context::delivery(s.line));
                 const auto disposition = s.line.expect<codec::Disposition>("for the second");
                 s.line.require(disposition->first == 1, "a disposition of delivery 1 alone", text_of(*disposition));
             }},
        {.id = "2.6.12-h/client",
         .rule = "A sender may settle by itself, whatever the receiver is about to say.",
         .sends = "an unsettled message, and right behind it a disposition that settles it; then another message",
         .accepts = "the second is answered",
         .run =
             [](Context& t) {
                 Served s(t, Served::receives(2));
                 if (s.await_credit() < 2) t.skip("the client gives credit for one delivery only");
                 const auto first = Context::delivery(s.line);
                 s.line.send(first, peer::disposition(Role::sender, 0).settled(), Context::delivery(s.line));
                 outcome_of(s.line, 1);
             }},
        taken("2.6.14-e/client-one-octet-each", "A frame may have as little payload as it likes.",
              "a message in frames of one octet each",
              [](Line& line) { return in_frames(line, Context::message("cut into octets"), 1); }, {"3.2-i"}),
        taken("2.6.14-e/client-empty-frames", "A frame of a delivery may have no payload.",
              "a message in frames of ten octets with empty ones between and behind them",
              [](Line& line) { return in_frames(line, Context::message(std::string(95, 'x')), 10, true); }),
        taken(
            "2.6.14-f/client", "Nothing of an aborted delivery is kept.", "half a message, aborted; then a whole one",
            [](Line& line) {
                std::string octets = transfer_octets(Context::delivery(line).more());
                octets += transfer_octets(peer::transfer(0).aborted());
                return octets + transfer_octets(Context::delivery(line));
            },
            {"2.7.5-t"}, 1),
        taken("2.7.5-g/client-32-octets", "A delivery-tag has at most 32 octets.", "a delivery-tag of 32 octets",
              [](Line& line) { return transfer_octets(Context::delivery(line).delivery_tag(std::string(32, 't'))); }),
        taken("2.7.5-f/client", "message-format 0 is what receivers know.",
              "a message whose transfer leaves message-format out",
              [](Line& line) {
                  auto frame = Context::delivery(line);
                  frame.performative.message_format.reset();
                  return transfer_octets(frame);
              }),
        taken("3.2-e/client-data", "The body may be several data sections.", "a message with three data sections",
              [](Line& line) { return with_payload(line, wire::hex("005375a00161 005375a00162 005375a00163")); },
              {"3.2.6-a"}),
        taken("3.2-e/client-sequence", "The body may be several amqp-sequence sections.",
              "a message with two amqp-sequence sections",
              [](Line& line) { return with_payload(line, wire::hex("005376c003015401 00537645")); }, {"3.2.6-b"}),
        taken("3.2.6-c/client", "amqp-value holds any value.", "a message whose value is an array of described lists",
              [](Line& line) {
                  return with_payload(line, wire::hex("005377 f0 0000000f 00000002 00 80 0000000000000099 45"));
              }),
        taken("3.2-g/client", "Descriptors may be symbols.", "a message whose body is amqp:amqp-value:*",
              [](Line& line) {
                  return with_payload(line, wire::hex("00a311") + "amqp:amqp-value:" + wire::hex("2a a10178"));
              }),
        taken("3.2.10-a/client", "Annotations that begin with x-opt- and are not known are passed over.",
              "a message with x-opt-conform in its delivery and message annotations and its footer",
              [](Line& line) {
                  const std::string map = wire::hex("c1 11 02 a30d") + "x-opt-conform" + wire::hex("41");
                  return with_payload(line, wire::hex("005371") + map + wire::hex("005372") + map +
                                                wire::hex("005377a10178") + wire::hex("005378") + map);
              }),
        not_taken("2.7.5-b/client-id", "The first frame of a delivery has a delivery-id.",
                  "a transfer without delivery-id",
                  [](Line& line) {
                      auto frame = Context::delivery(line);
                      frame.performative.delivery_id.reset();
                      return transfer_octets(frame);
                  }),
        not_taken("2.7.5-b/client-tag", "The first frame of a delivery has a delivery-tag.",
                  "a transfer without delivery-tag",
                  [](Line& line) {
                      auto frame = Context::delivery(line);
                      frame.performative.delivery_tag.reset();
                      return transfer_octets(frame);
                  }),
        not_taken("2.7.5-d/client", "A later frame of a delivery has no other delivery-id.",
                  "two frames of a delivery, the second with another delivery-id",
                  [](Line& line) {
                      const auto first = Context::delivery(line).more();
                      return transfer_octets(first) + transfer_octets(peer::transfer(0).delivery_id(5).payload("x"));
                  }),
        not_taken("2.7.5-e/client", "delivery-ids rise by one.", "two messages with the delivery-ids 0 and 9",
                  [](Line& line) {
                      const auto first = Context::delivery(line);
                      return transfer_octets(first) + transfer_octets(Context::delivery(line).delivery_id(9));
                  }),
        not_taken("2.7.5-g/client-33-octets", "A delivery-tag has at most 32 octets.", "a delivery-tag of 33 octets",
                  [](Line& line) {
                      line.next_delivery_id = 1;
                      const std::string message(codec::as_text(Context::message("conform").span()));
                      return wire::frame(
                          wire::described(codec::descriptor::transfer,
                                          wire::list({wire::hex("43"), wire::hex("43"),
                                                      wire::hex("a021") + std::string(33, 't'), wire::hex("43")})) +
                          message);
                  }),
        {.id = "3.2-j/client",
         .level = Level::informative,
         .rule = "What is no message is refused without taking the connection down, and never accepted.",
         .sends = "a delivery whose payload is no sections at all",
         .accepts = "rejected or another outcome that is not accepted, or detach; end and close are not strict",
         .negative = true,
         .clauses = {"3.2-h"},
         .run =
             [](Context& t) {
                 Served s(t, Served::receives());
                 s.await_credit();
                 s.line.raw(with_payload(s.line, "this is no message"));
                 const auto refused = [](const codec::Disposition& d) { return d.state && !is_accepted(d.state); };
                 answer_to_delivery(s.line, {answers<codec::Disposition>("refuses the delivery", refused), detaches(),
                                             ends().lenient(), closes().lenient(), drops(),
                                             answers<codec::Disposition>("accepts it").lenient()});
             }},
    };
    return cases;
}

}  // namespace

Cases client_transfers() {
    Cases cases = sending();
    for (auto& one : receiving()) cases.push_back(std::move(one));
    return of_clients(std::move(cases));
}

}  // namespace aprotic::conform
