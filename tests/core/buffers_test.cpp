#include <aprotic/engine/core/inbox.hpp>
#include <aprotic/engine/core/outbox.hpp>

#include "support/alloc_counter.hpp"
#include "support/prng.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <array>
#include <string>
#include <vector>

using namespace aprotic;
using namespace aprotic::engine::core;
using Status = codec::FrameParser::Status;

namespace {

std::string frame_with(std::size_t payload) {
    codec::Transfer transfer;
    transfer.delivery_id = static_cast<std::uint32_t>(payload);
    return std::string(codec::encode_frame(3, transfer, codec::as_bytes(std::string(payload, 'x'))).text());
}

/// Hands over as much as the inbox takes at once, up to `chunk`.
void put(Inbox& inbox, std::string_view bytes) {
    while (!bytes.empty()) {
        const auto room = inbox.prepare_read();
        const std::size_t n = std::min(room.size(), bytes.size());
        std::copy_n(codec::as_bytes(bytes).begin(), n, room.begin());
        inbox.commit_read(n);
        bytes.remove_prefix(n);
    }
}

std::string drain(Outbox& outbox, std::size_t step) {
    std::string all;
    std::array<codec::ConstBuffer, 4> buffers;
    while (!outbox.empty()) {
        const std::size_t count = outbox.gather(buffers);
        std::string round;
        for (std::size_t i = 0; i < count; ++i) round += codec::as_text({buffers[i].data, buffers[i].size});
        round.resize(std::min(round.size(), step));
        outbox.commit(round.size());
        all += round;
    }
    return all;
}

struct Recorder : engine::TraceSink {
    void frame(bool outgoing, std::span<const std::byte> bytes) override {
        (outgoing ? out : in).emplace_back(codec::as_text(bytes));
    }
    std::vector<std::string> out, in;
};

}  // namespace

TEST_CASE("frames come out whole however the stream was cut", "[2.3-h]") {
    std::string stream;
    std::vector<std::size_t> sizes;
    test::Prng prng(1);
    for (int i = 0; i < 40; ++i) {
        sizes.push_back(prng.below(i % 10 == 0 ? 60'000 : 600));
        stream += frame_with(sizes.back());
    }
    for (const std::size_t chunk : {std::size_t{1}, std::size_t{7}, std::size_t{4096}, stream.size()}) {
        Inbox inbox(64 * 1024);
        std::size_t frames = 0;
        std::vector<codec::Bytes> kept;
        for (std::size_t at = 0; at < stream.size(); at += chunk) {
            put(inbox, std::string_view(stream).substr(at, chunk));
            for (;;) {
                const auto step = inbox.next();
                if (step.status == Status::need_more) break;
                REQUIRE(step.status == Status::frame);
                REQUIRE(step.frame.payload.size() == sizes[frames]);
                kept.push_back(inbox.share(step.frame.payload));
                ++frames;
            }
        }
        REQUIRE(frames == sizes.size());
        // What was kept is untouched by all that was read after it.
        for (std::size_t i = 0; i < kept.size(); ++i) REQUIRE(kept[i].text() == std::string(sizes[i], 'x'));
    }
}

TEST_CASE("payloads of large frames are not moved, however they fall into reads", "[core]") {
    const std::size_t size = GENERATE(5'000u, 40'000u, 65'000u);
    std::string stream;
    for (int i = 0; i < 100; ++i) stream += frame_with(size - static_cast<std::size_t>(i)) + frame_with(60);
    for (const std::size_t chunk : {std::size_t{20'000}, std::size_t{65'536}, stream.size()}) {
        Inbox inbox(64 * 1024);
        std::vector<codec::Bytes> kept;
        std::size_t reads = 0;
        const auto before = codec::copy_count();
        for (std::size_t at = 0; at < stream.size(); ++reads) {
            const auto room = inbox.prepare_read();
            const std::size_t n = std::min({room.size(), chunk, stream.size() - at});
            std::copy_n(codec::as_bytes(stream).begin() + static_cast<std::ptrdiff_t>(at), n, room.begin());
            inbox.commit_read(n);
            at += n;
            for (auto step = inbox.next(); step.status == Status::frame; step = inbox.next())
                kept.push_back(inbox.share(step.frame.payload));
        }
        REQUIRE(kept.size() == 200);
        for (std::size_t i = 0; i < 200; i += 2) REQUIRE(kept[i].size() == size - i / 2);
        // The first, before its size was known, and what its slab had room for.
        CHECK(codec::copy_count().bytes - before.bytes <= 2048 + 65'536);
        CHECK(reads <= stream.size() / std::min<std::size_t>(chunk, 65'536) * 3 + 10);
    }
}

TEST_CASE("a frame larger than agreed is refused before its body has come", "[2.7.1-i]") {
    Inbox inbox(1024);
    put(inbox, frame_with(2000).substr(0, 8));
    CHECK(inbox.next().status == Status::error);
}

TEST_CASE("a frame larger than a slab is contiguous", "[2.7.1-j]") {
    Inbox inbox(1024 * 1024);
    put(inbox, frame_with(10) + frame_with(500'000));
    CHECK(inbox.next().frame.payload.size() == 10);
    const auto step = inbox.next();
    REQUIRE(step.status == Status::frame);
    CHECK(step.frame.payload.size() == 500'000);
}

TEST_CASE("what stands before the first frame can be taken byte by byte", "[2.2-d]") {
    Inbox inbox(512);
    put(inbox, "AMQP0100" + frame_with(1));
    CHECK(codec::as_text(inbox.unread()).substr(0, 8) == "AMQP0100");
    inbox.consume(8);
    CHECK(inbox.next().status == Status::frame);
    CHECK(inbox.next().status == Status::need_more);
}

TEST_CASE("a connection on which little comes has little to read into", "[core]") {
    Inbox inbox(64 * 1024);
    const auto frames = [&inbox] {
        std::size_t count = 0;
        while (inbox.next().status == Status::frame) ++count;
        return count;
    };
    const auto read = [&](const std::string& bytes) {
        put(inbox, bytes);
        return frames();
    };
    CHECK(inbox.prepare_read().size() == 512);
    CHECK(read(frame_with(100)) == 1);
    CHECK(inbox.prepare_read().size() == 512);
    CHECK(read(frame_with(30'000)) == 1);  // more than fits
    CHECK(inbox.prepare_read().size() == 32 * 1024);
    for (int i = 0; i < 64; ++i) CHECK(read(frame_with(100)) == 1);
    CHECK(inbox.prepare_read().size() == 512);
    // Reads that are filled bring more room, step by step; a word that little comes takes it back at once.
    for (const std::size_t room : {512u, 2048u, 8192u, 32'768u}) {
        REQUIRE(inbox.prepare_read().size() == room);
        const std::size_t payload = room - (frame_with(room).size() - room);
        REQUIRE(frame_with(payload).size() == room);
        CHECK(read(frame_with(payload)) == 1);
    }
    CHECK(inbox.prepare_read().size() == 64 * 1024);
    inbox.rest();
    CHECK(inbox.prepare_read().size() == 512);
    // A message that somebody keeps.
    put(inbox, frame_with(100));
    const codec::Bytes kept = inbox.share(inbox.next().frame.payload);
    CHECK(inbox.prepare_read().size() == 64 * 1024);
    CHECK(kept.text() == std::string(100, 'x'));
}

TEST_CASE("octets that wait to be understood bring no more room than they need", "[core]") {
    Inbox inbox(64 * 1024);
    put(inbox, std::string(600, 'x'));  // as of a handshake that is not AMQP's
    CHECK(inbox.prepare_read().size() == 2048 - 600);
    inbox.consume(600);
    inbox.rest();
    CHECK(inbox.prepare_read().size() == 512);
}

TEST_CASE("bytes leave in the order in which they were put, whatever is written at once", "[2.3-a]") {
    test::Prng prng(4);
    codec::ByteChain message;
    for (const std::size_t size : {10u, 300u, 255u, 256u, 5000u, 1u})
        message.append(codec::Bytes::copy_of(prng.text(size)));
    for (const std::size_t step : {std::size_t{1}, std::size_t{13}, SIZE_MAX}) {
        Outbox outbox;
        std::string expected;
        for (int i = 0; i < 50; ++i) {
            const std::size_t offset = prng.below(message.size());
            const std::size_t length = prng.below(message.size() - offset + 1);
            codec::Transfer transfer;
            transfer.delivery_id = i;
            outbox.append_transfer(1, transfer, message, offset, length);
            expected +=
                codec::encode_frame(1, transfer, codec::as_bytes(message.slice(offset, length).to_string())).text();
            if (prng.one_in(3)) {
                outbox.append_empty_frame();
                expected += codec::as_text(codec::empty_frame());
            }
        }
        CHECK(outbox.size() == expected.size());
        CHECK(outbox.end_position() == expected.size());
        CHECK((drain(outbox, step) == expected));
        CHECK(outbox.committed() == expected.size());
    }
}

TEST_CASE("small frames share one entry and large payloads are not copied", "[core]") {
    Outbox outbox;
    codec::Transfer transfer;
    const codec::ByteChain small(codec::Bytes::copy_of("hello"));
    for (int i = 0; i < 10; ++i) outbox.append_transfer(0, transfer, small, 0, 5);
    CHECK(outbox.entries() == 1);
    const codec::Bytes large = codec::Bytes::copy_of(std::string(1000, 'x'));
    outbox.append_transfer(0, transfer, large, 0, 1000);
    REQUIRE(outbox.entries() == 2);
    std::array<codec::ConstBuffer, 4> buffers;
    CHECK(outbox.gather(buffers) == 2);
    CHECK(buffers[1].data == large.data());
    CHECK(large.use_count() > 1);
    outbox.commit(outbox.size());
    CHECK(large.use_count() == 1);
}

TEST_CASE("what is written next needs none of the memory that much has taken", "[core]") {
    Outbox outbox;
    codec::Transfer transfer;
    const codec::ByteChain text(codec::Bytes::copy_of(std::string(200, 'x')));
    for (int i = 0; i < 100; ++i) outbox.append_transfer(0, transfer, text, 0, 200);
    const std::string all = drain(outbox, 100'000);
    const std::uint64_t before = test::live_octets();
    outbox.rest();
    CHECK(before - test::live_octets() > 8 * 1024);
    for (int i = 0; i < 100; ++i) outbox.append_transfer(0, transfer, text, 0, 200);
    CHECK(drain(outbox, 100'000) == all);
}

TEST_CASE("what was lent stays where it is while more is put behind it", "[core]") {
    Outbox outbox;
    outbox.append(codec::as_bytes("first"));
    std::array<codec::ConstBuffer, 64> before, after;
    REQUIRE(outbox.gather(before) == 1);
    for (int i = 0; i < 5000; ++i) outbox.append_empty_frame();
    REQUIRE(outbox.gather(after) >= 1);
    CHECK(before[0].data == after[0].data);
    CHECK(codec::as_text({before[0].data, before[0].size}) == "first");
}

TEST_CASE("a frame above the limit is not written at all", "[2.7.1-h]") {
    Outbox outbox;
    codec::Close close;
    close.error = codec::ErrorCondition{"a", std::string(600, 'x'), {}};
    CHECK_FALSE(outbox.append_frame(0, close, 512));
    CHECK(outbox.empty());
    CHECK(outbox.append_frame(0, close, 1024));
    close.error->description = std::string(20'000, 'x');
    CHECK_FALSE(outbox.append_frame(0, close, 1024));
    CHECK(outbox.append_frame(0, close, 65'536));
}

TEST_CASE("the trace sees each frame whole", "[core]") {
    Outbox outbox;
    Recorder recorder;
    outbox.set_trace(&recorder);
    outbox.append(codec::as_bytes("AMQP0100"));
    const codec::ByteChain message(codec::Bytes::copy_of(std::string(1000, 'x')));
    outbox.append_transfer(0, {}, message, 10, 500);
    outbox.append_frame(0, codec::End{}, 512);
    outbox.append_empty_frame();
    const std::string all = drain(outbox, SIZE_MAX);
    REQUIRE(recorder.out.size() == 3);
    CHECK(("AMQP0100" + recorder.out[0] + recorder.out[1] + recorder.out[2] == all));
}
