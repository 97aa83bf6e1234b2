#include <algorithm>

#include "conform/context.hpp"
#include "conform/steps.hpp"
#include "conform/suite.hpp"

/// The windows of a session. [2.5.6]
namespace aprotic::conform {

Cases session_windows() {
    return {
        {.id = "2.5.6-a",
         .rule = "Transfers are counted by serial numbers, which wrap.",
         .sends = "begin with next-outgoing-id 2^32 - 2, then five transfers",
         .accepts = "all of them accepted; a flow, if one comes, continues behind the wrap",
         .needs = {"queue"},
         .run =
             [](Context& t) {
                 Line& line = t.opened();
                 line.begin(0, peer::begin().next_outgoing_id(0xffff'fffe));
                 line.attach_sender(t.sender(t.queue()));
                 line.next_delivery_id = 0xffff'fffe;
                 for (int i = 0; i < 5; ++i) {
                     line.send(Context::delivery(line));
                     const auto outcome = line.expect<codec::Disposition>("each is settled");
                     line.require(outcome->state && std::holds_alternative<codec::Accepted>(*outcome->state),
                                  "accepted", text_of(*outcome));
                 }
                 line.send(peer::flow().next_outgoing_id(3).echo());
                 const Heard heard = line.hear(t.timing().quiet * 4);
                 const auto flow = heard.as<codec::Flow>();
                 if (!flow) return;
                 line.require(flow->next_incoming_id == 3U, "a flow with next-incoming-id 3", text_of(*flow));
             }},
        {.id = "2.5.6-b",
         .rule = "No transfer is sent beyond the partner's incoming window.",
         .sends = "a session with an incoming window of 3, a receiver with credit 100, ten messages; later 3 more",
         .accepts = "3 transfers, and 3 more behind the flow",
         .needs = {"queue"},
         .run =
             [](Context& t) {
                 const auto [line, begin] = receiving_through(t, 3, 10);
                 expect_transfers(line, 3, "the window is 3");
                 line.send(peer::flow().next_incoming_id(begin.next_outgoing_id + 3).incoming_window(3));
                 expect_transfers(line, 3, "the flow opens the window for 3");
             }},
        {.id = "2.5.6-c/stale",
         .rule = "The window counts from the next-incoming-id of the flow, not from when it comes.",
         .sends =
             "a window of 3; after 3 transfers a flow with the next-incoming-id of the beginning and a window of 5",
         .accepts = "2 transfers more",
         .needs = {"queue"},
         .run =
             [](Context& t) {
                 const auto [line, begin] = receiving_through(t, 3, 10);
                 expect_transfers(line, 3, "the window is 3");
                 line.send(peer::flow().next_incoming_id(begin.next_outgoing_id).incoming_window(5));
                 expect_transfers(line, 2, "5 from the beginning on, of which 3 were sent");
             }},
        {.id = "2.5.6-c/shrunk",
         .rule = "A window may be taken back: what comes out below nothing is nothing.",
         .sends =
             "a window of 5; after 5 transfers a flow with the next-incoming-id of the beginning and a window of 2",
         .accepts = "no transfer; and with a flow for 6 from there one more",
         .needs = {"queue"},
         .run =
             [](Context& t) {
                 const auto [line, begin] = receiving_through(t, 5, 10);
                 expect_transfers(line, 5, "the window is 5");
                 line.send(peer::flow().next_incoming_id(begin.next_outgoing_id).incoming_window(2));
                 expect_transfers(line, 0, "more was sent than the window has now");
                 line.send(peer::flow().next_incoming_id(begin.next_outgoing_id).incoming_window(6));
                 expect_transfers(line, 1, "6 from the beginning on, of which 5 were sent");
             }},
        {.id = "2.5.6-d",
         .rule = "A flow without next-incoming-id counts from the peer's initial next-outgoing-id.",
         .sends = "begin, receiver and flow without next-incoming-id and with a window of 4, in one write",
         .accepts = "4 transfers",
         .needs = {"queue"},
         .clauses = {"2.5.1-h"},
         .run =
             [](Context& t) {
                 const std::string address = t.queue();
                 t.fill(address, 10);
                 Line& line = t.opened();
                 line.send(peer::begin().incoming_window(4), t.receiver(address),
                           peer::flow().no_next_incoming_id().incoming_window(4).handle(0).link_credit(100));
                 line.expect<codec::Begin>();
                 line.expect<codec::Attach>();
                 expect_transfers(line, 4, "the window is 4");
             }},
        {.id = "2.5.6-e",
         .rule = "A window of 0 stops transfers and nothing else.",
         .sends = "a window of 0, a receiver with credit and messages to come; then detach",
         .accepts = "no transfer; detach",
         .needs = {"queue"},
         .run =
             [](Context& t) {
                 const auto [line, begin] = receiving_through(t, 0, 3);
                 expect_transfers(line, 0, "the window is 0");
                 line.send(peer::detach(0).closed());
                 line.expect<codec::Detach>("detach needs no window");
             }},
        {.id = "2.5.6-f",
         .rule = "A transfer outside of a peer's incoming-window ends the session with window-violation.",
         .sends = "a message in ten frames more than the peer's incoming-window, in one write",
         .accepts = "end with window-violation; other errors are not strict; a peer that opens its window as it reads, "
                    "takes the message and has counted each frame of it, is recorded",
         .negative = true,
         .needs = {"queue", "multiple-frames"},
         .run =
             [](Context& t) {
                 Line& line = t.opened();
                 const std::uint32_t window = line.begin().incoming_window;
                 if (window > 20'000) t.skip("incoming-window " + std::to_string(window) + " is too much to exceed");
                 line.attach_sender(t.sender(t.queue()));
                 const std::uint32_t frames = window + 10;
                 const std::string message(Context::message(std::string(frames - 1, 'x')).text());
                 const std::size_t start = message.size() - (frames - 1);
                 std::string octets(
                     codec::as_text(delivery_of(line, message.substr(0, start)).more().encode(0).span()));
                 for (std::size_t at = start; at < message.size(); ++at) {
                     const auto part = peer::transfer(0).more(at + 1 < message.size()).payload(message.substr(at, 1));
                     octets += codec::as_text(part.encode(0).span());
                 }
                 line.raw(octets);
                 const Heard heard = answer_to_delivery(
                     line, {ends({codec::condition::window_violation}), ends().lenient(), closes().lenient(),
                            detaches().lenient(), drops(), accepts_delivery().recorded()});
                 if (!heard.is(codec::descriptor::disposition)) return;
                 line.send(peer::flow().next_outgoing_id(frames).echo());
                 const Heard answer = line.hear(t.timing().quiet * 4);
                 const auto flow = answer.as<codec::Flow>();
                 line.require(!flow || flow->next_incoming_id == frames,
                              "next-incoming-id " + std::to_string(frames) + ": each frame that was taken counts",
                              answer.text());
             }},
        {.id = "2.5.6-h",
         .rule = "The room that a sender announces is renewed by each of its flows.",
         .sends = "begin with outgoing-window 2, and two messages; a flow with outgoing-window 2, and two more",
         .accepts = "all four accepted",
         .needs = {"queue"},
         .run =
             [](Context& t) {
                 Line& line = t.opened();
                 const codec::Begin theirs = line.begin(0, peer::begin().outgoing_window(2));
                 line.attach_sender(t.sender(t.queue()));
                 if (line.credit < 4) t.skip("the peer gives credit for fewer than 4 deliveries");
                 for (std::uint32_t i = 0; i < 4; ++i) {
                     if (i == 2)
                         line.send(peer::flow()
                                       .next_incoming_id(theirs.next_outgoing_id)
                                       .next_outgoing_id(2)
                                       .outgoing_window(2));
                     line.send(Context::delivery(line));
                     expect_accepted(line, i, "outgoing-window had room for it");
                 }
             }},
        {.id = "2.5.6-g",
         .rule = "A flow's next-outgoing-id becomes the receiver's next-incoming-id.",
         .sends = "flow with echo and a next-outgoing-id that is 5 ahead",
         .accepts = "flow with that next-incoming-id; echo is a should, so no flow is not judged",
         .run =
             [](Context& t) {
                 Line& line = t.mapped();
                 line.send(peer::flow().next_outgoing_id(5).echo());
                 const Heard heard = line.hear(t.timing().quiet * 8);
                 const auto flow = heard.as<codec::Flow>();
                 if (!flow) t.skip("no flow came: " + heard.text());
                 line.require(flow->next_incoming_id == 5U, "a flow with next-incoming-id 5", text_of(*flow));
             }},
        {.id = "2.5.6-i",
         .rule = "A peer opens its incoming window again before it is used up.",
         .sends = "2000 settled transfers, keeping to window and credit",
         .accepts = "window and credit for all of them",
         .needs = {"queue"},
         .tags = {"slow"},
         .run =
             [](Context& t) {
                 Line& line = t.opened();
                 const std::uint32_t window = line.begin().incoming_window;
                 line.attach_sender(t.sender(t.queue()));
                 send_settled(line, window, 2000);
             }},
        {.id = "2.5.6-j",
         .rule = "Windows count frames: a message of several frames takes several.",
         .sends = "frames of at most 512 octets, a window of 2, and a message of 2000 octets; later a wide window",
         .accepts = "2 transfers with more, then the rest of the message",
         .needs = {"queue", "multiple-frames"},
         .clauses = {"2.7.1-h", "2.6.14-a"},
         .run =
             [](Context& t) {
                 const std::string address = t.queue();
                 Line& filler = t.sending(address);
                 filler.send(Context::delivery(filler, std::string(2000, 'x')).settled());
                 filler.finish();
                 Line& line = t.opened(t.open().max_frame_size(512));
                 const codec::Begin begin = line.begin(0, peer::begin().incoming_window(2));
                 line.attach_receiver(t.receiver(address));
                 line.send(peer::flow()
                               .next_incoming_id(begin.next_outgoing_id)
                               .incoming_window(2)
                               .handle(0)
                               .delivery_count(0)
                               .link_credit(1));
                 expect_transfers(line, 2, "the window is 2 frames");
                 line.send(peer::flow().next_incoming_id(begin.next_outgoing_id + 2).incoming_window(100));
                 bool more = true;
                 while (more) more = line.expect<codec::Transfer>("the rest of the message")->more;
             }},
    };
}

}  // namespace aprotic::conform
