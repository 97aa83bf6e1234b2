#include "conform/served.hpp"
#include "conform/wire.hpp"

/// What clients make of deliveries. [2.6.12] [2.6.14] [2.7.5] [3]
namespace aprotic::conform {
namespace {

using namespace codec::condition;
using codec::Role;

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
std::string with_payload(Line& line, std::string_view payload) { return transfer_octets(delivery_of(line, payload)); }

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
         .rule = "A delivery that was sent settled needs no disposition.",
         .sends = "a settled message, and then an unsettled one",
         .accepts = "a disposition for the second; one for the first too, which is meaningless, is not strict",
         .run =
             [](Context& t) {
                 Served s(t, Served::receives(2));
                 if (s.await_credit() < 2) t.skip("the client gives credit for one delivery only");
                 const auto settled = Context::delivery(s.line).settled();
                 s.line.send(settled, Context::delivery(s.line));
                 expect_second_answered(t, s.line);
             }},
        {.id = "2.6.12-e/client-last-frame",
         .rule = "A delivery whose last frame says settled is a settled one, and needs no disposition.",
         .sends = "a message in two frames, of which only the second says settled, and then an unsettled one",
         .accepts = "a disposition for the second; one for the first too, which is meaningless, is not strict",
         .clauses = {"2.7.5-h"},
         .run =
             [](Context& t) {
                 Served s(t, Served::receives(2));
                 if (s.await_credit() < 2) t.skip("the client gives credit for one delivery only");
                 const std::string message(Context::message("in two parts").text());
                 const auto first = delivery_of(s.line, message.substr(0, 5)).more();
                 const auto rest = peer::transfer(0).settled().payload(message.substr(5));
                 s.line.send(first, rest, Context::delivery(s.line));
                 expect_second_answered(t, s.line);
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

Cases client_receiving() { return of_clients(receiving()); }

}  // namespace aprotic::conform
