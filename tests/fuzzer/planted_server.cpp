#include "fuzzer/planted_server.hpp"

#include <algorithm>

#include "peer/memory_channel.hpp"

namespace aprotic::fuzzer {

class PlantedServer::Connection final : public peer::Machine {
public:
    explicit Connection(PlantedServer& server) : server_(server) { server_.connections_.insert(this); }
    ~Connection() override { server_.forget(this); }

    std::size_t feed(std::span<const std::byte> bytes) override {
        if (server_.hung_ || closed_ || quiet_) return bytes.size();
        input_.insert(input_.end(), bytes.begin(), bytes.end());
        while (!closed_ && !quiet_ && !server_.hung_ && take()) {
        }
        return bytes.size();
    }
    std::vector<std::byte> take_output(std::size_t max) override {
        const auto end = output_.begin() + static_cast<std::ptrdiff_t>(std::min(max, output_.size()));
        std::vector<std::byte> taken(output_.begin(), end);
        output_.erase(output_.begin(), end);
        return taken;
    }
    bool closed() const override { return (closed_ || server_.dead_) && output_.empty(); }
    Duration advance(Duration at_most) override { return at_most; }
    void end_of_input() override { closed_ = true; }
    void cut(peer::Cut) override { closed_ = true; }

    void end_now() {
        closed_ = true;
        output_.clear();
    }
    template <class Frame>
    void send(const Frame& frame) {
        const auto octets = frame.encode(0);
        output_.insert(output_.end(), octets.span().begin(), octets.span().end());
    }
    std::uint32_t next_delivery_id = 0;

private:
    bool take() {
        if (!header_) {
            if (input_.size() < codec::ProtocolHeader::size) return false;
            const auto ours = codec::ProtocolHeader(codec::ProtocolId::amqp).serialise();
            closed_ = !std::equal(ours.begin(), ours.end(), input_.begin());
            header_ = true;
            output_.insert(output_.end(), ours.begin(), ours.end());
            input_.erase(input_.begin(), input_.begin() + codec::ProtocolHeader::size);
            return true;
        }
        const auto step = codec::FrameParser(1U << 20U).next(input_);
        if (step.status == codec::FrameParser::Status::need_more) return false;
        const std::size_t size = step.status == codec::FrameParser::Status::error ? input_.size() : step.size;
        const std::vector<std::byte> octets(input_.begin(), input_.begin() + static_cast<std::ptrdiff_t>(size));
        input_.erase(input_.begin(), input_.begin() + static_cast<std::ptrdiff_t>(size));
        const auto frame = codec::FrameParser(1U << 20U).next(octets).frame;
        codec::Decoder from(frame.performative);
        codec::Performative performative;
        if (step.status == codec::FrameParser::Status::frame && frame.empty()) return true;
        if (step.status == codec::FrameParser::Status::error || !decode(from, performative)) {
            fail();
            return true;
        }
        payload_ = codec::Bytes::copy_of(frame.payload);
        std::visit([&](const auto& one) { on(one, frame.channel); }, performative);
        return true;
    }

    void fail() {
        if (!opened_) send(peer::open());
        send(peer::close().error(codec::condition::not_allowed));
        server_.forget(this);
        closed_ = true;
    }

    void on(const codec::Open&, std::uint16_t) {
        if (opened_) return fail();
        opened_ = true;
        send(peer::open().container_id("planted"));
    }
    void on(const codec::Begin& begin, std::uint16_t channel) {
        if (!opened_ || !sessions_.emplace(channel, Links{}).second) return fail();
        if (server_.has("hangs of an id") && begin.next_outgoing_id > 1000) {
            server_.hung_ = true;
            return;
        }
        send(peer::begin().remote_channel(channel).on_channel(channel));
    }
    void on(const codec::Attach& attach, std::uint16_t channel) {
        const auto session = sessions_.find(channel);
        if (session == sessions_.end() || session->second.contains(attach.handle)) return fail();
        constexpr std::uint32_t handle_of_death = 1000;
        if (server_.has("dies of a handle") && attach.handle > handle_of_death) server_.dead_ = true;
        if (server_.has("leaks links")) server_.leaked_ += 1U << 20U;
        std::string address;
        if (attach.role == codec::Role::receiver) {
            address = attach.source ? attach.source->address.value_or("") : "";
        } else if (attach.target) {
            if (const auto* target = std::get_if<codec::Target>(&*attach.target))
                address = target->address.value_or("");
        }
        session->second[attach.handle] = address;
        auto reply = peer::attach(codec::opposite(attach.role), attach.handle, attach.name);
        reply.performative.source = attach.source;
        reply.performative.target = attach.target;
        send(reply.on_channel(channel));
        if (attach.role == codec::Role::sender)
            send(peer::flow().handle(attach.handle).delivery_count(0).link_credit(10'000).on_channel(channel));
        else
            server_.queues_[address].consumers.push_back({this, channel, attach.handle, 0, 0});
    }
    void on(const codec::Flow& flow, std::uint16_t channel) {
        const auto session = sessions_.find(channel);
        if (session == sessions_.end()) return fail();
        if (flow.echo) send(peer::flow().on_channel(channel));
        if (!flow.handle) return;
        const auto link = session->second.find(*flow.handle);
        if (link == session->second.end()) {
            quiet_ = server_.has("keeps its peace");
            return quiet_ ? void() : fail();
        }
        auto& queue = server_.queues_[link->second];
        for (auto& consumer : queue.consumers)
            if (consumer.connection == this && consumer.channel == channel && consumer.handle == *flow.handle)
                consumer.credit = flow.delivery_count.value_or(0) + flow.link_credit.value_or(0) - consumer.sent;
        server_.deliver(queue);
    }
    void on(const codec::Transfer& transfer, std::uint16_t channel) {
        const auto session = sessions_.find(channel);
        if (session == sessions_.end() || !session->second.contains(transfer.handle)) return fail();
        if (transfer.more || transfer.aborted) return;
        if (!transfer.settled.value_or(false))
            send(peer::disposition(codec::Role::receiver, transfer.delivery_id.value_or(0))
                     .settled()
                     .accepted()
                     .on_channel(channel));
        auto& queue = server_.queues_[session->second[transfer.handle]];
        queue.messages.push_back(payload_);
        server_.deliver(queue);
    }
    void on(const codec::Disposition&, std::uint16_t) {}
    void on(const codec::Detach& detach, std::uint16_t channel) {
        const auto session = sessions_.find(channel);
        const bool known = session != sessions_.end() && session->second.erase(detach.handle) != 0;
        if (!known && server_.has("ends others"))
            for (auto* other : server_.connections_) other->end_now();
        if (!known) return fail();
        send(peer::detach(detach.handle).closed(detach.closed).on_channel(channel));
    }
    void on(const codec::End&, std::uint16_t channel) {
        if (sessions_.erase(channel) == 0) return fail();
        send(peer::end().on_channel(channel));
    }
    void on(const codec::Close& close, std::uint16_t) {
        if (!opened_) return fail();
        send(peer::close());
        server_.forget(this);
        if (server_.has("speaks after close") && close.error) send(peer::begin());
        closed_ = true;
    }

    using Links = std::map<std::uint32_t, std::string>;  // handle → address

    PlantedServer& server_;
    std::vector<std::byte> input_;
    std::vector<std::byte> output_;
    std::map<std::uint16_t, Links> sessions_;
    codec::Bytes payload_;
    bool header_ = false;
    bool opened_ = false;
    bool closed_ = false;
    bool quiet_ = false;
};

/// A connection and the stream to it, as one.
class PlantedServer::Line final : public peer::Channel {
public:
    explicit Line(PlantedServer& server) : connection_(server), channel_(connection_, plan_) {}
    void write(std::span<const std::byte> bytes) override { channel_.write(bytes); }
    std::vector<std::byte> read(peer::Duration patience) override { return channel_.read(patience); }
    bool at_end() override { return channel_.at_end(); }
    void end_of_stream() override { channel_.end_of_stream(); }

private:
    Connection connection_;
    peer::Plan plan_;
    peer::MemoryChannel channel_;
};

PlantedServer::~PlantedServer() = default;

std::unique_ptr<peer::Channel> PlantedServer::connect(Duration, std::string& why) {
    connected_at.push_back(now_);
    now_ += std::chrono::microseconds(100);
    if (!dead_) return std::make_unique<Line>(*this);
    why = "connection refused";
    return nullptr;
}

bool PlantedServer::restart() {
    if (!can_restart) return false;
    ++restarts;
    dead_ = hung_ = false;
    leaked_ = 0;
    queues_.clear();
    return true;
}

void PlantedServer::deliver(Queue& queue) {
    for (auto& consumer : queue.consumers) {
        while (consumer.credit > 0 && !queue.messages.empty()) {
            auto frame = peer::transfer(consumer.handle)
                             .delivery_id(consumer.connection->next_delivery_id++)
                             .delivery_tag(std::to_string(consumer.sent++));
            frame.payload(queue.messages.front().text()).on_channel(consumer.channel);
            queue.messages.pop_front();
            --consumer.credit;
            consumer.connection->send(frame);
        }
    }
}

void PlantedServer::forget(Connection* connection) {
    connections_.erase(connection);
    for (auto& [address, queue] : queues_)
        std::erase_if(queue.consumers, [&](const Consumer& consumer) { return consumer.connection == connection; });
}

}  // namespace aprotic::fuzzer
