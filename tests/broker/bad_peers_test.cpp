// Peers that keep to the framing and to little else. Whatever they do, the broker's memory stays bounded, they hear an
// orderly error, and the other connections never notice.
#include "broker/world.hpp"

#include <aprotic/codec/frame.hpp>
#include <aprotic/codec/performatives.hpp>

#include <array>
#include <map>

#include "support/alloc_counter.hpp"

using namespace aprotic;
using namespace aprotic::engine;

namespace {

/// Says what it is told to over a stream of its own, and remembers what it hears.
class BadPeer {
public:
    explicit BadPeer(World& world) : world_(world), stream_(world.broker->connect_in_process()) { read(); }

    /// Writes all of it, or as much as the broker takes.
    bool say(codec::Bytes octets) {
        out_ = std::move(octets);
        while (!out_.empty() && !ended_) {
            const std::array<codec::ConstBuffer, 1> buffers = {{{out_.data(), out_.size()}}};
            written_ = false;
            stream_->write(buffers, [this](std::error_code error, std::size_t n) {
                written_ = true;
                out_ = error ? codec::Bytes() : out_.slice(n);
            });
            world_.reactor.settle();
            if (!written_) return false;
        }
        return !ended_;
    }
    template <class T>
    bool say(const T& performative, std::string_view payload = {}) {
        return say(codec::encode_frame(0, performative, codec::as_bytes(payload)));
    }
    void open() {
        const auto header = codec::ProtocolHeader(codec::ProtocolId::amqp).serialise();
        say(codec::Bytes::copy_of(header));
        codec::Open open;
        open.container_id = "bad";
        say(open);
        codec::Begin begin;
        begin.incoming_window = begin.outgoing_window = 0x7fff'ffff;
        say(begin);
    }
    static codec::Attach attach(codec::Role role, std::uint32_t handle, const std::string& address) {
        codec::Attach attach;
        attach.name = "link " + std::to_string(handle);
        attach.handle = handle;
        attach.role = role;
        codec::Target target;
        attach.source.emplace();
        if (role == codec::Role::sender) {
            target.address = address;
            attach.initial_delivery_count = 0;
        } else {
            attach.source->address = address;
        }
        attach.target = codec::AttachTarget(std::move(target));
        return attach;
    }

    std::size_t heard(std::uint64_t descriptor) { return frames_[descriptor]; }
    bool ended() const { return ended_; }
    const std::string& condition() const { return condition_; }

private:
    void read() {
        stream_->read(room_, [this](std::error_code error, std::size_t n) {
            ended_ = error || n == 0;
            if (ended_) return;
            in_.insert(in_.end(), room_.begin(), room_.begin() + static_cast<std::ptrdiff_t>(n));
            parse();
            read();
        });
    }
    void parse() {
        std::span<const std::byte> rest(in_);
        const codec::FrameParser parser(UINT32_MAX);
        while (rest.size() >= codec::FrameHeader::size_min) {
            if (rest[0] == std::byte{'A'}) {
                rest = rest.subspan(codec::ProtocolHeader::size);
                continue;
            }
            const auto step = parser.next(rest);
            if (step.status != codec::FrameParser::Status::frame) break;
            ++frames_[step.frame.code];
            if (const auto detach = step.frame.as<codec::Detach>(); detach && detach->error)
                condition_ = detach->error->condition.str();
            if (const auto close = step.frame.as<codec::Close>(); close && close->error)
                condition_ = close->error->condition.str();
            rest = rest.subspan(step.size);
        }
        in_.erase(in_.begin(), in_.end() - static_cast<std::ptrdiff_t>(rest.size()));
    }

    World& world_;
    codec::Bytes out_;
    std::array<std::byte, 4096> room_{};
    std::vector<std::byte> in_;
    std::map<std::uint64_t, std::size_t> frames_;
    std::string condition_;
    bool ended_ = false;
    bool written_ = false;
    std::unique_ptr<Stream> stream_;
};

/// Somebody else at the same broker, who must not notice.
void check_others(World& world) {
    auto inbox = std::make_shared<Inbox>();
    const auto receiver = world.receiver("unicast.others", inbox);
    world.send_all(world.sender("unicast.others"), {"one", "two"});
    world.settle();
    CHECK(inbox->texts == Texts{"one", "two"});
    receiver.close();
    world.settle();
}

BrokerOptions small() {
    BrokerOptions options;
    options.connection.limits.message_size_max = 1024 * 1024;
    options.connection.limits.buffered_bytes_max = 4 * 1024 * 1024;
    options.nodes_max = 20;
    return options;
}

constexpr std::uint64_t octets_max = 16 * 1024 * 1024;

}  // namespace

TEST_CASE("a peer that says nothing is left after the time to open") {
    World world(small());
    BadPeer peer(world);
    check_others(world);
    CHECK_FALSE(peer.ended());
    world.reactor.run_for(11s);
    CHECK(peer.ended());
    check_others(world);
}

TEST_CASE("a peer that never answers our close is left", "[2.4.3-c]") {
    World world(small());
    BadPeer peer(world);
    peer.open();
    for (int i = 0; i < 3; ++i) peer.say(codec::Begin{});  // its channel is in use
    world.reactor.run_for(5s);
    CHECK(peer.heard(codec::descriptor::close) == 1);
    CHECK(peer.ended());
    check_others(world);
}

TEST_CASE("a peer that grants all the credit there is gets what there is", "[2.6.7-b]") {
    World world(small());
    const auto sender = world.sender("unicast.t");
    for (int i = 0; i < 50; ++i) world.send_all(sender, {"before"});
    BadPeer peer(world);
    peer.open();
    peer.say(BadPeer::attach(codec::Role::receiver, 0, "unicast.t"));
    codec::Flow flow;
    flow.next_incoming_id = 0;
    flow.incoming_window = UINT32_MAX;
    flow.outgoing_window = UINT32_MAX;
    flow.handle = 0;
    flow.delivery_count = 0;
    flow.link_credit = UINT32_MAX;
    for (int i = 0; i < 10; ++i) CHECK(peer.say(flow));
    world.settle();
    CHECK(peer.heard(codec::descriptor::transfer) == 50);
    for (int i = 0; i < 50; ++i) static_cast<void>(sender.send(Message("after")));
    world.settle();
    CHECK(peer.heard(codec::descriptor::transfer) == 100);
    CHECK_FALSE(peer.ended());
    check_others(world);
}

TEST_CASE("a peer that attaches without end comes to the end of the handles", "[2.7.2-c]") {
    World world(small());
    check_others(world);
    const std::uint64_t before = test::live_octets();
    BadPeer peer(world);
    peer.open();
    std::uint32_t handle = 0;
    // It never answers the detach of a link that was refused.
    while (handle < 5000 && peer.heard(codec::descriptor::close) == 0 &&
           peer.say(BadPeer::attach(codec::Role::sender, handle, "unicast." + std::to_string(handle)))) {
        ++handle;
    }
    CHECK(handle <= 1024 + 1);
    CHECK(peer.condition() == "amqp:connection:framing-error");
    CHECK(test::live_octets() - before < octets_max);
    // Until it has ended the nodes that it had made are its own, and there are no more than the broker makes.
    world.reactor.run_for(5s);
    CHECK(peer.ended());
    check_others(world);
    CHECK(world.broker->nodes().size() <= 20);
}

TEST_CASE("a peer that sends one message of endless parts comes to the end of its size", "[2.7.3-l]") {
    World world(small());
    check_others(world);
    const std::uint64_t before = test::live_octets();
    BadPeer peer(world);
    peer.open();
    peer.say(BadPeer::attach(codec::Role::sender, 0, "unicast.t"));
    codec::Transfer transfer;
    transfer.delivery_id = 0;
    transfer.delivery_tag = codec::DeliveryTag("t");
    transfer.more = true;
    const std::string part(30'000, 'x');
    std::uint64_t most = 0;
    for (int i = 0; i < 1000 && peer.say(transfer, part); ++i) most = std::max(most, test::live_octets() - before);
    CHECK(peer.heard(codec::descriptor::detach) == 1);
    CHECK(peer.condition() == "amqp:link:message-size-exceeded");
    CHECK(most < octets_max);
    check_others(world);
}
