#include <algorithm>
#include <set>

#include "conform/context.hpp"
#include "conform/steps.hpp"
#include "conform/suite.hpp"

/// Messages of several frames. [2.6.14]
namespace aprotic::conform {
namespace {

using namespace codec::condition;

/// The transfers of one message, cut at every `step` octets.
std::vector<peer::TransferFrame> pieces(Line& line, const std::string& body, std::size_t step,
                                        std::uint32_t handle = 0) {
    const peer::TransferFrame whole = Context::delivery(line, body);
    const std::string octets(codec::as_text(Context::message(body).span()));
    std::vector<peer::TransferFrame> frames;
    for (std::size_t at = 0; at < octets.size(); at += step) {
        auto frame = peer::transfer(handle);
        if (at == 0) frame.performative = whole.performative;
        frame.handle(handle).more(at + step < octets.size()).payload(octets.substr(at, step));
        frames.push_back(std::move(frame));
    }
    return frames;
}

std::string octets_of(const std::vector<peer::TransferFrame>& frames) {
    std::string octets;
    for (const auto& frame : frames) octets += codec::as_text(frame.encode(0).span());
    return octets;
}

void expect_body(Context& t, const std::string& address, const std::string& body) {
    Receiver receiver(t, address);
    receiver.grant(1);
    const Arrived delivery = receiver.take("the message");
    receiver.line.require(text_in(receiver, delivery) == body, "the message as it was sent",
                          std::to_string(delivery.octets.size()) + " other octets");
    receiver.settle(delivery, codec::Accepted{});
    receiver.line.finish();
}

/// An unfinished delivery, then this, then a message on a connection of its own: only that is in the queue.
Case unfinished(const std::string& which, const std::string& what, std::function<void(Line&)> leave) {
    return {.id = "2.6.14-g/" + which,
            .rule = "An unfinished delivery goes with its link.",
            .sends = "half a message, and then " + what,
            .accepts = "nothing of it is in the queue",
            .needs = {"queue", "multiple-frames"},
            .run = [leave = std::move(leave)](Context& t) {
                Line& line = t.sending(t.queue());
                line.send(pieces(line, std::string(200, 'x'), 100).front());
                leave(line);
                line.finish();
                t.fill(t.queue(), 1);
                Receiver receiver(t, t.queue());
                receiver.grant(5);
                const auto all = receiver.take_all();
                receiver.line.require(all.size() == 1 && text_in(receiver, all.front()) == "message 0",
                                      "the whole message alone", std::to_string(all.size()) + " messages");
            }};
}

}  // namespace

Cases large_messages() {
    return {
        {.id = "2.6.14-a",
         .rule = "A message that does not fit a frame is split, with more on all but the last.",
         .sends = "max-frame-size 512 and a message of 100 KiB in the queue",
         .accepts = "frames of at most 512 octets, the message whole",
         .needs = {"queue", "multiple-frames"},
         .clauses = {"2.7.1-h"},
         .run =
             [](Context& t) {
                 std::string body;
                 while (body.size() < 100 * 1024) body += "line " + std::to_string(body.size()) + "\n";
                 Line& line = t.sending(t.queue());
                 line.raw(octets_of(pieces(line, body, 400)));
                 line.ordinary([&] { expect_accepted(line, 0, "a message in many frames"); });
                 line.finish();
                 Line& small = t.opened(t.open().max_frame_size(512));
                 Receiver receiver(small, t.receiver(t.queue()));
                 receiver.grant(1);
                 const Arrived delivery = receiver.take("in many frames");
                 small.require(text_in(receiver, delivery) == body, "the message as it was sent",
                               std::to_string(delivery.octets.size()) + " other octets");
                 t.note(std::to_string(delivery.frames) + " frames");
             }},
        {.id = "2.6.14-b",
         .rule = "Deliveries of different links may come in turns, frame by frame.",
         .sends = "messages of 10 frames on two links, one frame of each in turn",
         .accepts = "both accepted, and both whole",
         .needs = {"queue", "multiple-frames"},
         .run =
             [](Context& t) {
                 Line& line = t.sending(t.queue("a"));
                 line.attach_sender(t.sender(t.queue("b"), 1, "second"));
                 const std::string body_a(1000, 'a'), body_b(1000, 'b');
                 const auto a = pieces(line, body_a, 102), b = pieces(line, body_b, 102, 1);
                 std::string octets;
                 for (std::size_t i = 0; i < a.size(); ++i) octets += octets_of({a[i], b[i]});
                 line.raw(octets);
                 std::set<std::uint32_t> accepted;
                 while (accepted.size() < 2) {
                     const auto d = line.expect<codec::Disposition>("both are accepted");
                     line.require(is_accepted(d->state), "accepted", text_of(*d));
                     for (std::uint32_t id = d->first; id <= d->last.value_or(d->first) && id < 2; ++id)
                         accepted.insert(id);
                 }
                 line.finish();
                 expect_body(t, t.queue("a"), body_a);
                 expect_body(t, t.queue("b"), body_b);
             }},
        {.id = "2.6.14-c",
         .rule = "A sender does not begin a delivery on a link before the one before it is whole.",
         .sends = "max-frame-size 512 and 5 messages of 3 KB in the queue",
         .accepts = "5 whole messages, one after the other",
         .needs = {"queue", "multiple-frames"},
         .run =
             [](Context& t) {
                 Line& line = t.sending(t.queue());
                 for (int i = 0; i < 5; ++i)
                     line.send(Context::delivery(line, std::string(3000, static_cast<char>('a' + i))).settled());
                 line.finish();
                 Line& small = t.opened(t.open().max_frame_size(512));
                 Receiver receiver(small, t.receiver(t.queue()));
                 receiver.grant(5);
                 for (int i = 0; i < 5; ++i) {
                     const Arrived delivery = receiver.take("5 messages, credit 5");
                     const std::string body = text_in(receiver, delivery);
                     small.require(body == std::string(3000, static_cast<char>('a' + i)),
                                   "the messages in order, whole", body.substr(0, 10) + "…");
                 }
             }},
        {.id = "2.6.14-d",
         .rule = "A sender does not mix deliveries of one link.",
         .sends = "the first frame of a delivery, then a whole other delivery, then the rest of the first",
         .accepts = "detach, end or close with an error; taking both whole is not strict",
         .negative = true,
         .needs = {"queue", "multiple-frames"},
         .run =
             [](Context& t) {
                 Line& line = t.sending(t.queue());
                 const auto first = pieces(line, std::string(200, 'a'), 150);
                 const auto second = Context::delivery(line, "whole");
                 auto rest = first.back();
                 rest.delivery_id(0);
                 line.send(first.front(), second, rest);
                 const auto both = [](const codec::Disposition& d) { return is_accepted(d.state); };
                 answer_to_delivery(line,
                                    refuses() + Reactions{answers<codec::Disposition>("takes it", both).lenient()});
             }},
        {.id = "2.6.14-e/one-octet-each",
         .rule = "A frame may have as little payload as it likes.",
         .sends = "a message in frames of one octet each",
         .accepts = "accepted, and the message whole",
         .needs = {"queue", "multiple-frames"},
         .clauses = {"3.2-i"},
         .run =
             [](Context& t) {
                 const std::string body = "cut into octets";
                 Line& line = t.sending(t.queue());
                 line.raw(octets_of(pieces(line, body, 1)));
                 expect_accepted(line, 0, "a message in frames of one octet");
                 expect_body(t, t.queue(), body);
             }},
        {.id = "2.6.14-e/empty-frames",
         .rule = "A frame of a delivery may have no payload.",
         .sends = "a message in three frames, with an empty one in front, between and behind",
         .accepts = "accepted, and the message whole",
         .needs = {"queue", "multiple-frames"},
         .run =
             [](Context& t) {
                 const std::string body(150, 'e');
                 Line& line = t.sending(t.queue());
                 auto frames = pieces(line, body, 60);
                 auto empty_first = peer::transfer(0);
                 empty_first.performative = frames.front().performative;
                 frames.front().performative = peer::transfer(0).more().performative;
                 frames.back().more();
                 frames.insert(frames.begin(), empty_first.more());
                 frames.insert(frames.begin() + 2, peer::transfer(0).more());
                 frames.push_back(peer::transfer(0));
                 line.raw(octets_of(frames));
                 expect_accepted(line, 0, "empty frames are legal");
                 expect_body(t, t.queue(), body);
             }},
        {.id = "2.6.14-e/repeated-fields",
         .rule = "Later frames may repeat delivery-id, delivery-tag and message-format.",
         .sends = "a message in three frames, every one with all three fields",
         .accepts = "accepted, and the message whole",
         .needs = {"queue", "multiple-frames"},
         .clauses = {"2.7.5-c"},
         .run =
             [](Context& t) {
                 const std::string body(150, 'r');
                 Line& line = t.sending(t.queue());
                 auto frames = pieces(line, body, 60);
                 for (auto& frame : frames)
                     frame.delivery_id(0)
                         .delivery_tag(frames.front().performative.delivery_tag->text())
                         .message_format(0);
                 line.raw(octets_of(frames));
                 expect_accepted(line, 0, "later frames may repeat these fields");
                 expect_body(t, t.queue(), body);
             }},
        {.id = "2.6.14-f",
         .rule = "Nothing of an aborted delivery is kept, and it is settled.",
         .sends = "three frames of a message, then aborted; then a whole message",
         .accepts = "the second is accepted and alone in the queue",
         .needs = {"queue", "multiple-frames"},
         .clauses = {"2.7.5-t"},
         .run =
             [](Context& t) {
                 Line& line = t.sending(t.queue());
                 auto frames = pieces(line, std::string(200, 'x'), 60);
                 frames.pop_back();
                 frames.push_back(peer::transfer(0).aborted());
                 line.raw(octets_of(frames));
                 line.send(Context::delivery(line, "whole"));
                 expect_accepted(line, 1, "the link goes on behind an aborted delivery");
                 line.finish();
                 Receiver receiver(t, t.queue());
                 receiver.grant(5);
                 const auto all = receiver.take_all();
                 receiver.line.require(all.size() == 1 && text_in(receiver, all.front()) == "whole",
                                       "the whole message alone", std::to_string(all.size()) + " messages");
             }},
        {.id = "2.6.14-f/with-more-and-payload",
         .rule = "aborted wins over more, and what the aborted frame carries is ignored.",
         .sends = "a frame of a message, then one with aborted, more and payload; then a whole message",
         .accepts = "the second is accepted and alone in the queue",
         .needs = {"queue", "multiple-frames"},
         .clauses = {"2.7.5-k", "2.7.5-t"},
         .run =
             [](Context& t) {
                 Line& line = t.sending(t.queue());
                 const auto frames = pieces(line, std::string(200, 'x'), 100);
                 line.send(frames[0], peer::transfer(0).aborted().more().payload("ignored"));
                 line.send(Context::delivery(line, "whole"));
                 expect_accepted(line, 1, "the link goes on behind an aborted delivery");
                 expect_body(t, t.queue(), "whole");
             }},
        unfinished("detach", "detach with closed", [](Line& line) { line.send(peer::detach(0).closed()); }),
        unfinished("end", "end", [](Line& line) { line.send(peer::end()); }),
        unfinished("close", "close", [](Line& line) { line.send(peer::close()); }),
        unfinished("end-of-stream", "the end of the stream", [](Line& line) { line.half_close(); }),
        {.id = "2.6.14-h",
         .level = Level::informative,
         .rule = "The specification has no bound for the size of a message.",
         .sends = "a message of 4 MiB in frames of at most what the peer takes",
         .accepts = "accepted, or refused with message-size-exceeded or resource-limit-exceeded",
         .needs = {"queue", "multiple-frames"},
         .clauses = {"2.7.3-l"},
         .run =
             [](Context& t) {
                 Line& line = t.sending(t.queue());
                 const std::size_t step = std::min<std::size_t>(line.their_open->max_frame_size, 32 * 1024) - 100;
                 for (const auto& frame : pieces(line, std::string(4 << 20, 'l'), step)) line.send(frame);
                 const Conditions limits = {message_size_exceeded, resource_limit_exceeded};
                 answer_to_delivery(line, {accepts_delivery(), detaches(limits), rejects_delivery(limits),
                                           ends().lenient(), closes().lenient(), detaches().lenient(), drops()});
             }},
    };
}

}  // namespace aprotic::conform
