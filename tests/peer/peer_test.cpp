#include "peer/peer.hpp"

#include <algorithm>
#include <string>
#include <vector>

#include <aprotic/codec/frame.hpp>
#include <catch2/catch.hpp>

#include "peer/checks.hpp"
#include "peer/memory_channel.hpp"

using namespace aprotic;
using namespace aprotic::peer;

namespace {

/// Answers what the test gave it, as soon as it has read as many octets as that answer is worth.
class Parrot final : public Machine {
public:
    explicit Parrot(std::string answer = {}, std::size_t after = 0) : answer_(std::move(answer)), after_(after) {}

    std::size_t feed(std::span<const std::byte> bytes) override {
        heard += codec::as_text(bytes);
        pieces.push_back(bytes.size());
        return bytes.size();
    }
    std::vector<std::byte> take_output(std::size_t max) override {
        if (heard.size() < after_ || cut_) return {};
        const std::size_t size = std::min(max, answer_.size());
        const auto bytes = codec::as_bytes(answer_).first(size);
        std::vector<std::byte> taken(bytes.begin(), bytes.end());
        answer_.erase(0, size);
        return taken;
    }
    bool closed() const override { return cut_; }
    Duration advance(Duration at_most) override { return at_most; }
    void end_of_input() override {}
    void cut(Cut) override { cut_ = true; }

    std::string heard;
    std::vector<std::size_t> pieces;

private:
    std::string answer_;
    std::size_t after_;
    bool cut_ = false;
};

template <class T, class Self>
std::string octets(const FrameOf<T, Self>& frame) {
    return std::string(frame.encode(0).text());
}

std::string header() { return std::string(codec::as_text(codec::ProtocolHeader(codec::ProtocolId::amqp).serialise())); }

/// What the script complains of when it hears `answer`.
template <class Script>
std::string complaint(const std::string& answer, Script script) {
    Parrot parrot(answer);
    Plan plan;
    MemoryChannel channel(parrot, plan);
    Peer peer(channel);
    try {
        script(peer);
    } catch (const ScriptError& error) {
        return error.what();
    }
    return "nothing";
}

bool contains(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("a frame that differs is shown beside what was wanted") {
    const auto text = complaint(header() + octets(attach(codec::Role::sender, 3, "in")), [](Peer& peer) {
        peer.expect_header();
        peer.expect_attach().with(&codec::Attach::handle, 0U);
    });
    CHECK(contains(text, "handle=0"));
    CHECK(contains(text, "handle=3"));
    CHECK(contains(text, "<- AMQP 0 1.0.0"));
}

TEST_CASE("every way of not being what was wanted is an error of the script") {
    CHECK(contains(complaint(octets(begin()), [](Peer& p) { p.expect_open(); }), "begin"));
    CHECK(contains(complaint("", [](Peer& p) { p.expect_open(); }), "nothing"));
    CHECK(contains(complaint(octets(open()).substr(0, 9), [](Peer& p) { p.expect_open(); }), "a part of a frame"));
    CHECK(contains(complaint("HTTP/1.1", [](Peer& p) { p.expect_header(); }), "48545450"));
    CHECK(contains(complaint(octets(close()), [](Peer& p) { p.expect_nothing(); }), "close"));
    CHECK(contains(complaint(octets(close()), [](Peer& p) { p.expect_close("amqp:not-found"); }), "amqp:not-found"));
    CHECK(contains(complaint(octets(close()), [](Peer& p) { p.expect_end_of_stream(); }), "close"));
    CHECK(contains(complaint(octets(begin().on_channel(4)), [](Peer& p) { p.expect_begin().on_channel(5); }), "4"));
    CHECK(contains(complaint(octets(transfer(0).payload("x")), [](Peer& p) { p.expect_transfer().with_payload("y"); }),
                   "payload"));
    CHECK(
        contains(complaint(octets(sasl_outcome(codec::SaslCode::ok)), [](Peer& p) { p.expect_open(); }), "AMQP frame"));
    CHECK(complaint(octets(flow()) + octets(end()), [](Peer& p) {
              p.skip_flows = true;
              p.expect_end();
          }) == "nothing");
}

TEST_CASE("a frame above what the peer may be sent is noticed") {
    const auto large = octets(open().container_id(std::string(600, 'x')));
    CHECK(contains(complaint(large, [](Peer& p) { p.expect_open(); }), "no frame"));
    CHECK(complaint(large, [](Peer& p) {
              p.send(open());
              p.expect_open();
          }) == "nothing");
}

TEST_CASE("splits cut the stream at every octet in both directions") {
    const std::string answer = octets(open());
    std::size_t runs = 0;
    std::vector<std::size_t> first_pieces;
    check_splits([&](Plan& plan) {
        ++runs;
        Parrot parrot(answer, 16);
        MemoryChannel channel(parrot, plan);
        Peer peer(channel);
        peer.send_raw(header() + header());
        peer.expect_open();
        CHECK(parrot.heard == header() + header());
        first_pieces.push_back(parrot.pieces.front());
    });
    CHECK(runs == 1 + 1 + 15 + answer.size() - 1);
    for (std::size_t at = 1; at < 16; ++at) {
        CHECK(std::count(first_pieces.begin(), first_pieces.end(), at) >= 1);
    }
}

TEST_CASE("failures break the stream at every step until a run gets through") {
    std::vector<bool> finished;
    check_failures([&](Plan& plan) {
        finished.push_back(false);
        Parrot parrot(octets(open()), 8);
        MemoryChannel channel(parrot, plan);
        Peer peer(channel);
        peer.send_header();
        peer.expect_open();
        finished.back() = true;
    });
    // Two steps, three ways to fail: each time two broken runs and one whole one.
    CHECK(finished == std::vector<bool>{false, false, true, false, false, true, false, false, true});
}
