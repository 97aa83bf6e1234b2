#include "conform/faulty_server.hpp"

#include <algorithm>
#include <utility>

#include "peer/memory_channel.hpp"

namespace aprotic::conform {
namespace {

/// A server and the stream to it, as one.
class ServerChannel final : public peer::Channel {
public:
    explicit ServerChannel(Faults& faults) : server_(faults), channel_(server_, plan_) {}

    void write(std::span<const std::byte> bytes) override { channel_.write(bytes); }
    std::vector<std::byte> read(peer::Duration patience) override { return channel_.read(patience); }
    bool at_end() override { return channel_.at_end(); }
    void end_of_stream() override { channel_.end_of_stream(); }

private:
    FaultyServer server_;
    peer::Plan plan_;
    peer::MemoryChannel channel_;
};

}  // namespace

Connector connector_to(Faults& faults) {
    return [&faults](peer::Duration, std::string& why) -> std::unique_ptr<peer::Channel> {
        if (!faults.dead) return std::make_unique<ServerChannel>(faults);
        why = "connection refused";
        return nullptr;
    };
}

std::size_t FaultyServer::feed(std::span<const std::byte> bytes) {
    if (number_ % 3 == 0 && faults_.has("each third connection is not served")) return bytes.size();
    input_.insert(input_.end(), bytes.begin(), bytes.end());
    if (!header_taken_) take_header();
    while (header_taken_ && !closed_) {
        const auto step = codec::FrameParser(64 * 1024).next(input_);
        if (step.status == codec::FrameParser::Status::need_more) break;
        const bool whole = step.status == codec::FrameParser::Status::error && step.size != 0;
        if (whole && faults_.has("undecodable frames are passed over")) {
            input_.erase(input_.begin(), input_.begin() + static_cast<std::ptrdiff_t>(step.size));
            continue;
        }
        if (step.status == codec::FrameParser::Status::error) {
            if (faults_.has("framing errors kill")) faults_.dead = true;
            input_.clear();
            error_is_due_ = faults_.has("framing errors are answered late");
            if (!faults_.has("framing errors are passed over") && !error_is_due_)
                close_with(codec::condition::framing_error);
            break;
        }
        const std::vector<std::byte> frame(input_.begin(), input_.begin() + static_cast<std::ptrdiff_t>(step.size));
        input_.erase(input_.begin(), input_.begin() + static_cast<std::ptrdiff_t>(step.size));
        take_frame(codec::FrameParser(64 * 1024).next(frame).frame);
    }
    return bytes.size();
}

std::vector<std::byte> FaultyServer::take_output(std::size_t max) {
    if (faults_.connections > number_ && std::exchange(error_is_due_, false))
        close_with(codec::condition::framing_error);
    const auto end = output_.begin() + static_cast<std::ptrdiff_t>(std::min(max, output_.size()));
    std::vector<std::byte> taken(output_.begin(), end);
    output_.erase(output_.begin(), end);
    return taken;
}

void FaultyServer::take_header() {
    if (input_.size() < codec::ProtocolHeader::size) return;
    const auto header = codec::ProtocolHeader::parse(std::span(input_).first(codec::ProtocolHeader::size));
    input_.erase(input_.begin(), input_.begin() + codec::ProtocolHeader::size);
    const bool wanted = header && header->is(codec::ProtocolId::amqp);
    header_taken_ = wanted || faults_.has("any header will do");
    closed_ = !header_taken_;
    if (closed_ && faults_.has("wrong headers are not answered")) return;
    write(codec::ProtocolHeader(codec::ProtocolId::amqp).serialise());
}

void FaultyServer::take_frame(const codec::FrameView& frame) {
    if (frame.empty()) return;
    codec::Decoder from(frame.performative);
    codec::Performative performative;
    const bool known = frame.type == codec::FrameType::amqp && decode(from, performative);
    if (!known && faults_.has("undecodable frames are passed over")) return;
    if (!known) return close_with(codec::condition::decode_error);
    const bool is_close = std::holds_alternative<codec::Close>(performative);
    if (closing_ && !is_close) return;
    if (!opened_ && !std::holds_alternative<codec::Open>(performative))
        return close_with(codec::condition::illegal_state);
    payload_ = codec::as_text(frame.payload);
    std::visit([&](const auto& one) { on(one, frame.channel); }, performative);
}

void FaultyServer::on(const codec::Open&, std::uint16_t) {
    if (opened_) return close_with(codec::condition::illegal_state);
    opened_ = true;
    if (faults_.has("begins before it opens")) send(peer::begin());
    send(peer::open().container_id("faulty").max_frame_size(64 * 1024));
}

void FaultyServer::on(const codec::Begin&, std::uint16_t channel) {
    if (!sessions_.try_emplace(channel).second) return close_with(codec::condition::illegal_state);
    const auto named = static_cast<std::uint16_t>(faults_.has("begin names another channel") ? channel + 9 : channel);
    if (faults_.has("begin is not answered") || faults_.has("sessions that end at once are passed over")) return;
    send(peer::begin().remote_channel(named).on_channel(channel));
}

void FaultyServer::on(const codec::Attach& attach, std::uint16_t channel) {
    const auto session = sessions_.find(channel);
    if (session == sessions_.end()) return close_with(codec::condition::illegal_state);
    Link& link = session->second.links[attach.handle];
    link.sends = attach.role == codec::Role::receiver;
    const auto* target = attach.target ? std::get_if<codec::Target>(&*attach.target) : nullptr;
    link.queue = link.sends ? (attach.source ? attach.source->address.value_or("") : "")
                            : (target != nullptr ? target->address.value_or("") : "");
    const std::string name = faults_.has("names are cut") ? attach.name.substr(0, 8) : attach.name;
    auto reply = peer::attach(codec::opposite(attach.role), attach.handle, name);
    reply.on_channel(channel);
    reply.performative.source = attach.source;
    reply.performative.target = attach.target;
    send(reply);
    if (!link.sends) send(peer::flow().handle(attach.handle).delivery_count(0).link_credit(10).on_channel(channel));
}

void FaultyServer::on(const codec::Flow& flow, std::uint16_t channel) {
    const auto session = sessions_.find(channel);
    if (session == sessions_.end()) return close_with(codec::condition::illegal_state);
    if (flow.handle) {
        const auto link = session->second.links.find(*flow.handle);
        if (link == session->second.links.end()) {
            if (faults_.has("unattached handles are passed over")) return;
            return send(peer::end().error(codec::condition::unattached_handle).on_channel(channel));
        }
        const std::uint32_t limit = flow.delivery_count.value_or(0) + flow.link_credit.value_or(0);
        link->second.credit = limit - link->second.delivery_count;
        if (faults_.has("credit counts from now")) link->second.credit = flow.link_credit.value_or(0);
        if (link->second.sends) deliver(*flow.handle, link->second, session->second, channel);
    }
    if (flow.echo) send(peer::flow().on_channel(channel));
}

void FaultyServer::deliver(std::uint32_t handle, Link& link, Session& session, std::uint16_t channel) {
    auto& messages = faults_.queues[link.queue];
    for (; link.credit > 0 && !messages.empty(); --link.credit, ++link.delivery_count) {
        const std::uint32_t id = session.next_delivery_id++;
        auto frame = peer::transfer(handle).delivery_id(id).delivery_tag(std::to_string(id)).message_format(0);
        const std::string_view durable("\x00\x53\x70\xc0\x02\x01\x41", 7);
        const bool has_header = messages.front().starts_with(durable.substr(0, 3));
        if (faults_.has("all messages are durable") && !has_header) frame.payload(durable);
        send(frame.payload(messages.front()).on_channel(channel));
        messages.pop_front();
    }
}

void FaultyServer::on(const codec::Transfer& transfer, std::uint16_t channel) {
    const auto found = sessions_.find(channel);
    if (found == sessions_.end()) return close_with(codec::condition::illegal_state);
    Session& session = found->second;
    if (transfer.delivery_id) session.arriving_id = *transfer.delivery_id;
    session.arriving += payload_;
    session.arriving_settled = session.arriving_settled || transfer.settled.value_or(false);
    if (transfer.more) return;
    faults_.queues[session.links[transfer.handle].queue].push_back(std::exchange(session.arriving, {}));
    if (std::exchange(session.arriving_settled, false) && !faults_.has("what is settled is answered")) return;
    send(peer::disposition(codec::Role::receiver, session.arriving_id).settled().accepted().on_channel(channel));
}

void FaultyServer::on(const codec::Detach& detach, std::uint16_t channel) {
    if (const auto session = sessions_.find(channel); session != sessions_.end())
        session->second.links.erase(detach.handle);
    send(peer::detach(detach.handle).closed(detach.closed).on_channel(channel));
}

void FaultyServer::on(const codec::End&, std::uint16_t channel) {
    if (sessions_.erase(channel) == 0) return close_with(codec::condition::illegal_state);
    if (faults_.has("sessions that end at once are passed over")) return;
    send(peer::end().on_channel(channel));
}

void FaultyServer::on(const codec::Close&, std::uint16_t) {
    if (faults_.has("close is not answered")) return;
    if (!closing_) send(peer::close());
    if (faults_.has("speaks after close")) send(peer::begin());
    closed_ = true;
}

void FaultyServer::close_with(std::string_view condition) {
    if (faults_.has("errors only end the stream")) {
        closed_ = true;
        return;
    }
    if (!opened_) send(peer::open());
    opened_ = true;
    send(peer::close().error(condition, "told to"));
    closing_ = true;
}

}  // namespace aprotic::conform
