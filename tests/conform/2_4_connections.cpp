#include "conform/context.hpp"
#include "conform/suite.hpp"

namespace aprotic::conform {
namespace {

using namespace codec::condition;

/// A performative on a connection on which only headers were exchanged.
template <class Frame>
Case before_open(const std::string& name, const Frame& frame) {
    return {.id = "2.4.1-a/" + name + "-first",
            .rule = "open is the first frame that each peer sends.",
            .sends = name + " in place of open",
            .accepts = "close with an error; the end of the stream alone is not strict",
            .negative = true,
            .clauses = {"2.4.6-a"},
            .run = [frame](Context& t) {
                Line& line = t.authenticated();
                line.header();
                line.send(frame);
                const Heard heard = line.accept_one_of(
                    {closes(), closes_in_order().lenient(), drops(), answers_header(codec::ProtocolId::amqp)});
                if (heard.kind != Heard::Kind::header) return;
                t.outcome.ways.clear();
                line.accept_one_of({closes(), closes_in_order().lenient(), drops()});
            }};
}

/// Open, then an error of ours that closes the connection: a second open.
Line& closed_by_peer(Context& t) {
    Line& line = t.opened();
    line.send(t.open());
    line.ordinary([&] {
        const Heard heard = line.accept_one_of({closes(), closes_in_order(), drops(), ignores()});
        if (heard.kind == Heard::Kind::end) t.skip("the peer does not say close before it ends the stream");
        if (!heard.is(codec::descriptor::close)) t.skip("the peer does not close for a second open");
    });
    t.outcome = {};
    return line;
}

Cases opening() {
    return {
        {.id = "2.4.1-a",
         .rule = "open is the first frame that each peer sends.",
         .sends = "open",
         .accepts = "open, before any other frame",
         .clauses = {"2.4.1-h"},
         .tags = {"control"},
         .run =
             [](Context& t) {
                 Line& line = t.authenticated();
                 line.header();
                 line.send(t.open());
                 line.expect_header();
                 line.expect<codec::Open>("the first frame");
             }},
        {.id = "2.4.1-b/peers-open",
         .rule = "open goes over channel 0.",
         .sends = "open",
         .accepts = "open on channel 0",
         .run =
             [](Context& t) {
                 Line& line = t.authenticated();
                 line.header();
                 line.send(t.open());
                 line.expect_header();
                 const auto open = line.expect<codec::Open>();
                 line.require(open.channel == 0, "open on channel 0",
                              "open on channel " + std::to_string(open.channel));
             }},
        {.id = "2.4.1-b/open-on-channel-1",
         .rule = "open goes over channel 0.",
         .sends = "open on channel 1",
         .accepts = "close with an error; the end of the stream alone, and taking it, are not strict",
         .negative = true,
         .run =
             [](Context& t) {
                 Line& line = t.authenticated();
                 line.header();
                 line.send(t.open().on_channel(1));
                 line.expect_header();
                 line.accept_one_of({closes(), drops(), ignores().lenient()});
             }},
        {.id = "2.4.1-d",
         .rule = "Every peer takes frames of up to 512 octets.",
         .sends = "an open that is exactly 512 octets long",
         .accepts = "open, and no close",
         .run =
             [](Context& t) {
                 auto open = t.open();
                 auto& id = open.performative.container_id;
                 while (open.encode(0).size() < 512) id += 'x';
                 Line& line = t.authenticated();
                 line.header();
                 line.send(open);
                 line.expect_header();
                 line.expect<codec::Open>();
                 line.send(peer::begin());
                 line.expect<codec::Begin>("the connection stands");
             }},
        {.id = "2.4.1-e",
         .level = Level::informative,
         .rule = "A peer may refuse frames above 512 octets before it has said what it takes.",
         .sends = "an open of 4096 octets",
         .accepts = "open, or close with framing-error",
         .run =
             [](Context& t) {
                 auto open = t.open();
                 while (open.encode(0).size() < 4096) open.performative.container_id += 'x';
                 Line& line = t.authenticated();
                 line.header();
                 line.send(open);
                 line.expect_header();
                 line.accept_one_of({closes(), drops(), ignores()});
             }},
        {.id = "2.4.1-g",
         .rule = "open is sent once.",
         .sends = "open twice",
         .accepts = "close with an error; close without one, or the end of the stream alone, is not strict",
         .negative = true,
         .clauses = {"2.4.6-a"},
         .run =
             [](Context& t) {
                 Line& line = t.opened();
                 line.send(t.open());
                 line.accept_one_of({closes(), closes_in_order().lenient(), drops()});
             }},
        {.id = "2.4.1-h/unknown-hostname",
         .level = Level::informative,
         .rule = "A server that does not serve a hostname answers open with open and then closes with an error.",
         .sends = "open with a hostname that nobody has",
         .accepts = "open; open and close with an error; an end of the stream",
         .run =
             [](Context& t) {
                 Line& line = t.authenticated();
                 line.header();
                 line.send(t.open().hostname("no-such-host.conform.invalid"));
                 line.expect_header();
                 line.accept_one_of({closes(), drops(), ignores()});
             }},
        {.id = "2.4.2-a",
         .rule = "A client may send on without waiting: header, open and begin in one write.",
         .sends = "header, open and begin in one write",
         .accepts = "header, open and begin, in this order",
         .clauses = {"2.1-a", "2.4.2-d"},
         .run =
             [](Context& t) {
                 Line& line = t.authenticated();
                 line.send(codec::ProtocolHeader(codec::ProtocolId::amqp), t.open(), peer::begin());
                 line.expect_header();
                 line.expect<codec::Open>();
                 line.expect<codec::Begin>();
             }},
        {.id = "2.4.2-b",
         .rule = "Header, open and close may come in one write.",
         .sends = "header, open and close in one write",
         .accepts = "header, open, close, the end of the stream",
         .run =
             [](Context& t) {
                 Line& line = t.authenticated();
                 line.send(codec::ProtocolHeader(codec::ProtocolId::amqp), t.open(), peer::close());
                 line.expect_header();
                 line.expect<codec::Open>();
                 line.expect<codec::Close>();
                 line.expect_finished();
             }},
        {.id = "2.4.2-c",
         .level = Level::informative,
         .rule = "A client may send the SASL layer and what is behind it in one write.",
         .sends = "SASL header, init for ANONYMOUS, AMQP header and open in one write",
         .accepts = "SASL header, mechanisms, outcome ok, AMQP header, open; peers that take turns end the stream",
         .needs = {"sasl", "sasl-anonymous"},
         .run =
             [](Context& t) {
                 Line& line = t.connect();
                 line.send(codec::ProtocolHeader(codec::ProtocolId::sasl),
                           peer::sasl_init(codec::Symbol("ANONYMOUS")).initial_response("conform"),
                           codec::ProtocolHeader(codec::ProtocolId::amqp), t.open());
                 for (;;) {
                     const Heard heard = line.hear();
                     if (heard.is(codec::descriptor::open)) return t.took("goes through to open");
                     if (heard.kind == Heard::Kind::end) return t.took("ends the stream");
                     if (heard.kind == Heard::Kind::nothing) return t.took("waits for something");
                     if (heard.kind == Heard::Kind::bad) line.fail("frames, or the end of the stream", heard);
                 }
             }},
        {.id = "2.2-n",
         .rule = "A protocol header has no place where a frame is due.",
         .sends = "the AMQP header again behind open",
         .accepts = "close with framing-error; another error or the end of the stream alone is not strict",
         .negative = true,
         .run =
             [](Context& t) {
                 Line& line = t.opened();
                 line.may_probe = false;
                 line.header();
                 line.accept_one_of(refuses_framing());
             }},
    };
}

Cases closing() {
    return {
        {.id = "2.4.3-d",
         .rule = "A close is answered with a close, and then the stream ends.",
         .sends = "close on an open connection",
         .accepts = "close without error, then the end of the stream",
         .clauses = {"2.4.3-b"},
         .tags = {"control"},
         .run =
             [](Context& t) {
                 Line& line = t.opened();
                 line.send(peer::close());
                 const auto close = line.expect<codec::Close>();
                 line.require(!close->error, "a close without error", codec::to_string(codec::Performative(*close)));
                 line.expect_finished();
             }},
        {.id = "2.4.3-d/with-error",
         .rule = "A close that carries an error is answered with a close like any other.",
         .sends = "close with the error com.example:conform",
         .accepts = "close, then the end of the stream",
         .clauses = {"2.8.14-c"},
         .run =
             [](Context& t) {
                 Line& line = t.opened();
                 line.send(peer::close().error("com.example:conform", "told to"));
                 line.expect<codec::Close>();
                 line.expect_finished();
             }},
        {.id = "2.4.3-e",
         .rule = "A close is taken on any channel up to the negotiated maximum.",
         .sends = "close on channel 1",
         .accepts = "close, then the end of the stream",
         .run =
             [](Context& t) {
                 Line& line = t.opened();
                 if (line.their_open->channel_max == 0) t.skip("the peer allows channel 0 only");
                 line.send(peer::close().on_channel(1));
                 line.expect<codec::Close>();
                 line.expect_finished();
             }},
        {.id = "2.4.3-f",
         .level = Level::should,
         .rule = "A close is sent on channel 0.",
         .sends = "close",
         .accepts = "close on channel 0",
         .run =
             [](Context& t) {
                 Line& line = t.opened();
                 line.send(peer::close());
                 const auto close = line.expect<codec::Close>();
                 line.require(close.channel == 0, "close on channel 0",
                              "close on channel " + std::to_string(close.channel));
             }},
        {.id = "2.4.3-h",
         .rule = "Sessions need not be ended before close: they are gone with the connection.",
         .sends = "close while three sessions are up",
         .accepts = "close, with no end before it or behind it",
         .needs = {"several-sessions"},
         .run =
             [](Context& t) {
                 Line& line = t.opened();
                 for (const unsigned channel : {0U, 1U, 2U}) line.begin(static_cast<std::uint16_t>(channel));
                 line.send(peer::close());
                 line.expect<codec::Close>();
                 line.expect_finished();
             }},
        {.id = "2.4.3-i",
         .rule = "After an erroring close all incoming frames but close are dropped in silence.",
         .sends = "what makes the peer close, then begin and flow, then close",
         .accepts = "nothing, or the end of the stream, behind the peer's close",
         .negative = true,
         .clauses = {"2.4.3-b"},
         .run =
             [](Context& t) {
                 Line& line = closed_by_peer(t);
                 line.send(peer::begin(), peer::flow());
                 line.send(peer::close());
                 const Heard heard = line.hear(t.timing().quiet * 4);
                 const bool fine = heard.kind == Heard::Kind::end || heard.kind == Heard::Kind::nothing;
                 if (!fine) line.fail("nothing comes behind a close", heard);
                 t.took(heard.kind == Heard::Kind::end ? "ends the stream" : "says nothing more");
             }},
        {.id = "2.4.3-c",
         .level = Level::should,
         .rule = "Behind its close a peer reads on until the other close comes, for a while.",
         .sends = "what makes the peer close, and nothing for a quarter of a second",
         .accepts = "the stream stays open",
         .negative = true,
         .run =
             [](Context& t) {
                 Line& line = closed_by_peer(t);
                 const Heard heard = line.hear(t.timing().quiet * 4);
                 if (heard.kind != Heard::Kind::nothing) line.fail("the stream stays open for the other close", heard);
                 line.send(peer::close());
                 line.expect_finished();
             }},
        {.id = "2.4.4-a",
         .rule = "Two closes that cross finish the connection, and neither is answered.",
         .sends = "what makes the peer close, and close, in one write",
         .accepts = "one close, then the end of the stream",
         .negative = true,
         .run =
             [](Context& t) {
                 Line& line = t.opened();
                 line.send(t.open(), peer::close());
                 line.accept_one_of({closes(), closes_in_order().lenient(), drops()});
                 line.expect_finished();
             }},
        {.id = "2.4.6-b",
         .level = Level::informative,
         .rule = "Behind its close a client may close its half of the stream.",
         .sends = "close, then the end of our half of the stream",
         .accepts = "close",
         .run =
             [](Context& t) {
                 Line& line = t.opened();
                 line.send(peer::close());
                 line.half_close();
                 const Heard heard = line.hear();
                 t.took(heard.is(codec::descriptor::close) ? "answers the close" : heard.text());
             }},
        {.id = "2.4.6-c",
         .rule = "A stream that ends without close is a failure of this connection, and of no other.",
         .sends = "the end of the stream on a connection with a session, in order and by leaving it",
         .accepts = "the end of the stream, and new connections are served",
         .negative = true,
         .run =
             [](Context& t) {
                 Line& line = t.mapped();
                 line.half_close();
                 line.expect_end("ours has ended");
             }},
    };
}

}  // namespace

Cases connections() {
    Cases cases = opening();
    cases.push_back(before_open("begin", peer::begin()));
    cases.push_back(before_open("attach", peer::attach(codec::Role::sender, 0)));
    cases.push_back(before_open("flow", peer::flow()));
    cases.push_back(before_open("transfer", peer::transfer(0).delivery_id(0).delivery_tag("t").message_format(0)));
    cases.push_back(before_open("disposition", peer::disposition(codec::Role::receiver, 0)));
    cases.push_back(before_open("detach", peer::detach(0)));
    cases.push_back(before_open("end", peer::end()));
    cases.push_back(before_open("close", peer::close()));
    for (auto& one : closing()) cases.push_back(std::move(one));
    return cases;
}

}  // namespace aprotic::conform
