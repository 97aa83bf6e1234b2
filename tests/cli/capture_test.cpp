// What `aprotic dump` makes of packet captures: files, packets, TCP streams, and the AMQP in them.
#include "capture_bytes.hpp"

#include <catch2/catch.hpp>

#include <aprotic/codec/frame.hpp>
#include <aprotic/driver/cli/capture/capture_dump.hpp>

#include <algorithm>
#include <vector>

using namespace aprotic;
using namespace aprotic::driver::cli;
using namespace aprotic::test;

namespace {

std::vector<Packet> packets_of(const std::string& file, std::string* fault = nullptr) {
    CaptureFile capture(codec::as_bytes(file));
    std::vector<Packet> packets;
    while (const auto packet = capture.next()) packets.push_back(*packet);
    if (fault != nullptr) *fault = capture.fault();
    return packets;
}

std::optional<Segment> segment(const std::string& octets, LinkType link_type) {
    bool is_fragment = false;
    return segment_of({0, link_type, codec::as_bytes(octets), octets.size()}, is_fragment);
}

/// Follows what the streams bring as text: '>' and '<' are the directions, "-3" a gap of three.
struct Streams {
    std::string seen;
    TcpStreams streams;

    explicit Streams(const TcpLimits& limits = {})
        : streams([this](const Piece& piece) { take(piece); }, [](std::uint16_t port) { return port == 5672; },
                  limits) {}

    void take(const Piece& piece) {
        switch (piece.kind) {
            case Piece::Kind::begin: seen += piece.from_client ? "(>" : "(<"; break;
            case Piece::Kind::begin_within: seen += piece.from_client ? "[>" : "[<"; break;
            case Piece::Kind::data:
                seen += (piece.from_client ? ">" : "<") + std::string(codec::as_text(piece.octets));
                break;
            case Piece::Kind::gap: seen += "-" + std::to_string(piece.missing); break;
            case Piece::Kind::end: seen += piece.from_client ? ">)" : "<)"; break;
        }
        if (piece.connection > 1) seen += "#" + std::to_string(piece.connection);
    }
    Streams& add(bool from_client, std::uint32_t sequence, unsigned flags, std::string_view payload = {},
                 std::size_t lost = 0, std::uint32_t acknowledged = 0) {
        static const Endpoint client{{std::byte{1}}, 40'000, false}, server{{std::byte{2}}, 5672, false};
        Segment segment;
        segment.from = from_client ? client : server;
        segment.to = from_client ? server : client;
        segment.sequence = sequence;
        segment.acknowledged = acknowledged;
        segment.is_syn = (flags & syn) != 0;
        segment.is_fin = (flags & fin) != 0;
        segment.is_rst = (flags & rst) != 0;
        segment.has_ack = (flags & ack) != 0;
        segment.payload = codec::as_bytes(payload);
        segment.lost = lost;
        streams.add(segment, 0);
        return *this;
    }
    std::string finish() {
        streams.finish();
        return seen;
    }
};

std::string frames(std::initializer_list<std::string> parts) {
    std::string all;
    for (const auto& part : parts) all += part;
    return all;
}
const std::string header("AMQP\0\x01\0\0", 8);
std::string open_of(const std::string& name) {
    return std::string(codec::encode_frame(0, codec::Open{.container_id = name}).text());
}
const std::string close_frame{codec::encode_frame(0, codec::Close{}).text()};

struct Shown {
    std::string text;
    bool ok = false;
    std::size_t connections = 0;
    std::size_t frames = 0;
};
Shown show(const std::string& file, codec::DumpForm form = codec::DumpForm::text,
           std::set<std::uint16_t> ports = {5672}) {
    Shown shown;
    CaptureDump capture([&](std::string_view text) { shown.text += text; }, {.form = form}, std::move(ports));
    capture.run(codec::as_bytes(file));
    shown.ok = capture.ok();
    shown.connections = capture.connections();
    shown.frames = capture.frames();
    return shown;
}

/// A connection of a few frames on `port`, each packet wrapped by `wrap`.
template <class Wrap>
std::vector<std::string> conversation(const Wrap& wrap, std::uint16_t port = 5672) {
    const auto client = [&](std::uint32_t sequence, unsigned flags, std::string_view payload = {}) {
        return wrap(true, tcp(true, sequence, flags, payload, 0, port));
    };
    const auto server = [&](std::uint32_t sequence, unsigned flags, std::string_view payload = {}) {
        return wrap(false, tcp(false, sequence, flags, payload, 0, port));
    };
    const std::string ours = frames({header, open_of("client"), close_frame}),
                      theirs = frames({header, open_of("server"), close_frame});
    return {client(99, syn),
            server(499, syn | ack),
            client(100, ack, ours.substr(0, 11)),
            server(500, ack, theirs.substr(0, 20)),
            client(111, ack, ours.substr(11)),
            server(520, ack | fin, theirs.substr(20)),
            client(static_cast<std::uint32_t>(100 + ours.size()), ack | fin)};
}

void check_conversation(const Shown& shown) {
    INFO(shown.text);
    CHECK(shown.ok);
    CHECK(shown.connections == 1);
    CHECK(shown.frames == 4);
    for (const char* text : {"1> 00000000  AMQP header id=0", "1> 00000008  channel 0 open{container-id=\"client\"}",
                             "1< 00000008  channel 0 open{container-id=\"server\"}", "channel 0 close"})
        CHECK(shown.text.find(text) != std::string::npos);
}

}  // namespace

TEST_CASE("pcap files of either byte order and resolution are read") {
    const std::string file =
        pcap_header(LinkType::ethernet) + pcap_record("first", 1'000'002) + pcap_record("second", 5, 3);
    const auto packets = packets_of(file);
    REQUIRE(packets.size() == 2);
    CHECK(packets[0].microseconds == 1'000'002);
    CHECK(packets[0].link_type == LinkType::ethernet);
    CHECK(codec::as_text(packets[0].octets) == "first");
    CHECK(codec::as_text(packets[1].octets) == "sec");
    CHECK(packets[1].original_size == 6);
    const std::string other = big(0xa1b23c4d, 4) + big(2, 2) + big(4, 2) + big(0, 8) + big(65535, 4) + big(101, 4) +
                              big(3, 4) + big(7'000, 4) + big(2, 4) + big(2, 4) + "ab";
    const auto nano = packets_of(other);
    REQUIRE(nano.size() == 1);
    CHECK(nano[0].microseconds == 3'000'007);
    CHECK(nano[0].link_type == LinkType::raw);
}

TEST_CASE("a pcap file that is cut short says so") {
    const std::string file = pcap_header(LinkType::ethernet) + pcap_record("first") + pcap_record("second");
    for (std::size_t size = 0; size < file.size(); ++size) {
        std::string fault;
        const auto packets = packets_of(file.substr(0, size), &fault);
        CHECK(packets.size() == (size >= 24 + 21 ? 1 : 0));
        CHECK(fault.empty() == (size == 24 || size == 24 + 21));
    }
}

TEST_CASE("pcapng files with several interfaces and sections are read") {
    const std::string nanoseconds = little(9, 2) + little(1, 2) + std::string("\x09\0\0\0", 4) + little(0, 4);
    const std::string file = pcapng_section() + pcapng_interface(LinkType::ethernet) +
                             pcapng_interface(LinkType::raw, nanoseconds) + pcapng_packet("one", 7) +
                             pcapng_block(5, "statistics") + pcapng_packet("two", 9'000, 1) + pcapng_section() +
                             pcapng_interface(LinkType::loop) + pcapng_block(3, little(5, 4) + "three");
    const auto packets = packets_of(file);
    REQUIRE(packets.size() == 3);
    CHECK(codec::as_text(packets[0].octets) == "one");
    CHECK(packets[0].microseconds == 7);
    CHECK(packets[1].microseconds == 9);
    CHECK(packets[1].link_type == LinkType::raw);
    CHECK(codec::as_text(packets[2].octets) == "three");
    CHECK(packets[2].link_type == LinkType::loop);
    std::string fault;
    CHECK(packets_of(pcapng_section() + pcapng_packet("no interface"), &fault).empty());
    CHECK_FALSE(fault.empty());
    CHECK(packets_of(file.substr(0, file.size() - 1), &fault).size() == 2);
    CHECK_FALSE(fault.empty());
}

TEST_CASE("segments are found behind every link header") {
    const std::string inner = tcp(true, 7, ack, "payload", 3);
    const auto check = [](const std::optional<Segment>& found) {
        REQUIRE(found);
        CHECK(codec::as_text(found->payload) == "payload");
        CHECK(found->from.port == 40'000);
        CHECK(found->to.port == 5672);
        CHECK(found->sequence == 7);
        CHECK(found->acknowledged == 3);
        CHECK(found->lost == 0);
    };
    const std::string four = ipv4(true, inner), six = ipv6(true, inner);
    check(segment(ethernet(four), LinkType::ethernet));
    check(segment(ethernet(six), LinkType::ethernet));
    check(segment(ethernet(four) + std::string(6, '\0'), LinkType::ethernet));  // padding
    check(segment(
        std::string(12, '\x02') + big(0x88a8, 2) + big(5, 2) + big(0x8100, 2) + big(6, 2) + big(0x0800, 2) + four,
        LinkType::ethernet));
    check(segment(std::string(14, '\0') + big(0x0800, 2) + four, LinkType::linux_cooked));
    check(segment(big(0x86dd, 2) + std::string(18, '\0') + six, LinkType::linux_cooked_v2));
    check(segment(little(2, 4) + four, LinkType::null));
    check(segment(big(24, 4) + six, LinkType::loop));
    for (const LinkType raw : {LinkType::raw, LinkType::raw_bsd, LinkType::raw_openbsd, LinkType::ipv4})
        check(segment(four, raw));
    check(segment(six, LinkType::ipv6));
    check(segment(ipv6(true, big(60, 1) + big(0, 7) + big(6, 1) + big(0, 7) + inner, 0),
                  LinkType::raw));  // extension headers
    const auto found = segment(four, LinkType::raw);
    CHECK(found->from.to_string() == "10.0.0.1:40000");
    CHECK(segment(six, LinkType::raw)->to.to_string() == "[fd00:0:0:0:0:0:0:2]:5672");
}

TEST_CASE("what is no TCP segment is left out") {
    CHECK_FALSE(segment(ipv4(true, tcp(true, 1, ack), 0, 17), LinkType::raw));
    CHECK_FALSE(segment(std::string(12, '\x02') + big(0x0806, 2) + std::string(28, '\0'), LinkType::ethernet));
    CHECK_FALSE(segment(ipv4(true, tcp(true, 1, ack)), static_cast<LinkType>(147)));
    bool is_fragment = false;
    const std::string fragment = ipv4(true, tcp(true, 1, ack, "x"), 0x2000);
    CHECK_FALSE(segment_of({0, LinkType::raw, codec::as_bytes(fragment), fragment.size()}, is_fragment));
    CHECK(is_fragment);
    // What the capture did not keep is counted.
    const std::string whole = ipv4(true, tcp(true, 1, ack, "payload"));
    CHECK(segment(whole.substr(0, whole.size() - 3), LinkType::raw)->lost == 3);
    for (const std::string& packet : {ethernet(whole), ethernet(ipv6(true, tcp(true, 1, ack, "payload")))}) {
        for (std::size_t size = 0; size < packet.size(); ++size) segment(packet.substr(0, size), LinkType::ethernet);
    }
}

TEST_CASE("segments in order make two streams") {
    CHECK(Streams()
              .add(true, 99, syn)
              .add(false, 499, syn | ack)
              .add(true, 100, ack, "ab")
              .add(false, 500, ack, "xy")
              .add(true, 102, ack | fin, "c")
              .finish() == "(>(<>ab<xy>c>)<)");
}

TEST_CASE("segments out of order again and overlapping bring each octet once") {
    Streams streams;
    streams.add(true, 99, syn).add(true, 104, ack, "ef").add(true, 102, ack, "cd").add(true, 100, ack, "ab");
    streams.add(true, 100, ack, "ab")
        .add(true, 103, ack, "defg")
        .add(true, 100, ack, "abcdefgh")
        .add(true, 107, ack | fin, "hi");
    CHECK(streams.finish() == "(>>ab>cd>ef>g>h>i>)");
    CHECK(streams.streams.counts().out_of_order == 2);
    CHECK(streams.streams.counts().retransmitted == 1);
    CHECK(streams.streams.counts().overlapping == 3);
    CHECK(streams.streams.counts().gaps == 0);
}

TEST_CASE("sequence numbers wrap") {
    CHECK(Streams()
              .add(true, 0xffff'fffd, syn)
              .add(true, 0, ack, "cd")
              .add(true, 0xffff'fffe, ack, "ab")
              .add(true, 2, ack, "e")
              .finish() == "(>>ab>cd>e>)");
}

TEST_CASE("octets that the capture does not have are a gap") {
    CHECK(Streams().add(true, 99, syn).add(true, 100, ack, "ab").add(true, 105, ack, "f").finish() == "(>>ab-3>f>)");
    CHECK(Streams().add(true, 99, syn).add(true, 100, ack, "ab", 3).add(true, 105, ack, "f").finish() == "(>>ab-3>f>)");
    CHECK(Streams().add(true, 99, syn).add(true, 104, ack | fin).finish() == "(>-4>)");
    // What the receiver confirmed long ago will not come.
    Streams streams;
    streams.add(true, 99, syn).add(false, 499, syn | ack);
    for (std::uint32_t i = 0; i < 16; ++i) streams.add(true, 101 + i, ack, "x");
    CHECK(streams.seen == "(>(<");
    streams.add(false, 500, ack, {}, 0, 117);
    CHECK(streams.seen == "(>(<-1" + [] {
        std::string all;
        for (int i = 0; i < 16; ++i) all += ">x";
        return all;
    }());
}

TEST_CASE("few segments are kept for what is missing") {
    Streams streams({.waiting_max = 4});
    streams.add(true, 99, syn);
    for (std::uint32_t i = 0; i < 5; ++i) streams.add(true, 110 + 2 * i, ack, "x");
    CHECK(streams.seen == "(>-10>x");
    CHECK(streams.finish() == "(>-10>x-1>x-1>x-1>x-1>x>)");
}

TEST_CASE("a capture may start within a connection") {
    CHECK(Streams().add(false, 700, ack, "xy").add(true, 300, ack, "ab").finish() == "[<<xy[>>ab>)<)");
}

TEST_CASE("ports are used again and resets end a connection") {
    CHECK(Streams()
              .add(true, 99, syn)
              .add(true, 100, ack, "ab")
              .add(true, 9'000, syn)
              .add(true, 9'001, ack, "cd")
              .finish() == "(>>ab>)(>#2>cd#2>)#2");
    CHECK(Streams()
              .add(true, 99, syn)
              .add(true, 99, syn)
              .add(true, 100, ack, "ab")
              .add(false, 1, rst)
              .add(true, 102, ack, "cd")
              .finish() == "(>>ab>)");
    Streams limited({.connections_max = 0});
    limited.add(true, 99, syn).add(true, 100, ack, "ab");
    CHECK(limited.finish().empty());
    CHECK(limited.streams.counts().ignored == 2);
}

TEST_CASE("a capture shows the frames of both directions") {
    std::string file = pcap_header(LinkType::ethernet);
    for (const auto& packet :
         conversation([](bool from_client, const std::string&inner) { return ethernet(ipv4(from_client, inner)); }))
        file += pcap_record(packet);
    check_conversation(show(file));
    CHECK(
        show(file).text.starts_with("connection 1: 10.0.0.1:40000 > 10.0.0.2:5672\n0.000000 1> 00000000  AMQP header"));

    std::string next = pcapng_section() + pcapng_interface(LinkType::raw);
    for (const auto& packet :
         conversation([](bool from_client, const std::string&inner) { return ipv6(from_client, inner); }))
        next += pcapng_packet(packet);
    check_conversation(show(next));
    const Shown json = show(next, codec::DumpForm::json);
    CHECK(json.text.find(R"({"connection":1,"from":"server","time":0.000000,"offset":8,"kind":"frame")") !=
          std::string::npos);
}

TEST_CASE("AMQP on other ports is known by its protocol header or by being told") {
    std::string file = pcap_header(LinkType::raw);
    const auto wrap = [](bool from_client, const std::string& inner) { return ipv4(from_client, inner); };
    for (const auto& packet : conversation(wrap, 7000)) file += pcap_record(packet);
    check_conversation(show(file));
    std::string other = pcap_header(LinkType::raw) + pcap_record(ipv4(true, tcp(true, 99, syn, {}, 0, 7000))) +
                        pcap_record(ipv4(true, tcp(true, 100, ack, "GET / HTTP/1.1\r\n", 0, 7000)));
    CHECK(show(other).connections == 0);
    CHECK(show(other).ok);
    CHECK(show(other, codec::DumpForm::text, {7000}).connections == 1);
    CHECK_FALSE(show(other, codec::DumpForm::text, {7000}).ok);
}

TEST_CASE("a capture that lacks packets is not whole but is read on") {
    auto packets = conversation([](bool from_client, const std::string& inner) { return ipv4(from_client, inner); });
    const auto file_without = [&](std::size_t missing) {
        std::string file = pcap_header(LinkType::raw);
        for (std::size_t i = 0; i < packets.size(); ++i)
            if (i != missing) file += pcap_record(packets[i]);
        return file;
    };
    CHECK(show(file_without(99)).ok);
    CHECK(show(file_without(0)).ok);
    CHECK(show(file_without(1)).ok);
    const Shown gap = show(file_without(3));
    INFO(gap.text);
    CHECK_FALSE(gap.ok);
    CHECK(gap.text.find("1< 00000000  ! 20 octets are missing") != std::string::npos);
    CHECK(gap.text.find("channel 0 close") != std::string::npos);
    CHECK_FALSE(show(file_without(4)).ok);
    const std::string whole = file_without(99);
    const Shown cut = show(whole.substr(0, whole.size() - 1));
    CHECK_FALSE(cut.ok);
    CHECK(cut.text.find("the last packet is cut short") != std::string::npos);
    CHECK_FALSE(show("not a capture").ok);
}

TEST_CASE("a damaged capture is read without harm") {
    std::string pcap = pcap_header(LinkType::ethernet),
                pcapng = pcapng_section() + pcapng_interface(LinkType::ethernet);
    for (const auto& packet :
         conversation([](bool from_client, const std::string&inner) { return ethernet(ipv4(from_client, inner)); })) {
        pcap += pcap_record(packet);
        pcapng += pcapng_packet(packet);
    }
    for (const std::string& file : {pcap, pcapng}) {
        for (std::size_t i = 0; i < file.size(); ++i) {
            std::string damaged = file;
            damaged[i] = static_cast<char>(damaged[i] ^ 0x95);
            show(damaged);
        }
    }
}
