#include "conform/faulty_client.hpp"

#include <algorithm>

#include "peer/memory_channel.hpp"

namespace aprotic::conform {
namespace {

/// The stream to a client, which is there as long as either is.
class ClientChannel final : public peer::Channel {
public:
    explicit ClientChannel(std::shared_ptr<FaultyClient> client)
        : client_(std::move(client)), channel_(*client_, plan_) {}

    void write(std::span<const std::byte> bytes) override { channel_.write(bytes); }
    std::vector<std::byte> read(peer::Duration patience) override { return channel_.read(patience); }
    bool at_end() override { return channel_.at_end(); }
    void end_of_stream() override { channel_.end_of_stream(); }

private:
    std::shared_ptr<FaultyClient> client_;
    peer::Plan plan_;
    peer::MemoryChannel channel_;
};

}  // namespace

FaultyClient::FaultyClient(Faults& faults, Task task) : faults_(faults), task_(std::move(task)) {
    in_sasl_ = task_.login;
    in_sasl_ ? write(codec::ProtocolHeader(codec::ProtocolId::sasl).serialise()) : begin_amqp();
}

void FaultyClient::begin_amqp() {
    write(codec::ProtocolHeader(codec::ProtocolId::amqp).serialise());
    send(peer::open().container_id("faulty").max_frame_size(64 * 1024));
}

std::optional<int> FaultyClient::exit_code() const {
    if (!closed_ || crashed_) return std::nullopt;
    return settled_ == task_.count && !refused_ ? 0 : 1;
}

std::size_t FaultyClient::feed(std::span<const std::byte> bytes) {
    input_.insert(input_.end(), bytes.begin(), bytes.end());
    if (!header_taken_) take_header();
    while (header_taken_ && !closed_) {
        const auto step = codec::FrameParser(64 * 1024).next(input_);
        if (step.status == codec::FrameParser::Status::need_more) break;
        if (step.status == codec::FrameParser::Status::error) {
            input_.clear();
            crashed_ = closed_ = faults_.has("framing errors kill");
            if (!faults_.has("framing errors are passed over") && !crashed_) fail_with(codec::condition::framing_error);
            break;
        }
        const std::vector<std::byte> frame(input_.begin(), input_.begin() + static_cast<std::ptrdiff_t>(step.size));
        input_.erase(input_.begin(), input_.begin() + static_cast<std::ptrdiff_t>(step.size));
        take_frame(codec::FrameParser(64 * 1024).next(frame).frame);
    }
    return bytes.size();
}

std::vector<std::byte> FaultyClient::take_output(std::size_t max) {
    const auto end = output_.begin() + static_cast<std::ptrdiff_t>(std::min(max, output_.size()));
    std::vector<std::byte> taken(output_.begin(), end);
    output_.erase(output_.begin(), end);
    return taken;
}

void FaultyClient::take_header() {
    if (input_.size() < codec::ProtocolHeader::size) return;
    const auto header = codec::ProtocolHeader::parse(std::span(input_).first(codec::ProtocolHeader::size));
    input_.erase(input_.begin(), input_.begin() + codec::ProtocolHeader::size);
    const auto wanted = in_sasl_ ? codec::ProtocolId::sasl : codec::ProtocolId::amqp;
    header_taken_ = (header && header->is(wanted)) || faults_.has("any header will do");
    closed_ = !header_taken_;
}

void FaultyClient::take_sasl_frame(const codec::FrameView& frame) {
    if (const auto offered = frame.as<codec::SaslMechanisms>()) {
        const codec::Symbol ours(faults_.has("makes nothing of its user") ? "ANONYMOUS" : "PLAIN");
        const auto& all = offered->sasl_server_mechanisms;
        closed_ = std::ranges::count(all, ours) == 0 || (faults_.has("one mechanism is none") && all.size() == 1);
        if (!closed_) send(peer::sasl_init(ours).initial_response(std::string_view("\0conform\0secret", 15)));
        return;
    }
    const auto outcome = frame.as<codec::SaslOutcome>();
    closed_ = !outcome || outcome->code != codec::SaslCode::ok;
    in_sasl_ = header_taken_ = false;
    if (!closed_) begin_amqp();
}

void FaultyClient::take_frame(const codec::FrameView& frame) {
    if (in_sasl_) return take_sasl_frame(frame);
    if (frame.empty()) return;
    codec::Decoder from(frame.performative);
    codec::Performative performative;
    if (frame.type != codec::FrameType::amqp || !decode(from, performative))
        return fail_with(codec::condition::decode_error);
    if (closing_ && !std::holds_alternative<codec::Close>(performative)) return;
    std::visit([&](const auto& one) { on(one, frame.channel); }, performative);
}

void FaultyClient::on(const codec::Open& open, std::uint16_t) {
    frame_size_max_ = open.max_frame_size;
    send(peer::begin());
}

void FaultyClient::on(const codec::Begin& begin, std::uint16_t) {
    if (mapped_) return fail_with(codec::condition::illegal_state);
    mapped_ = true;
    window_end_ = begin.incoming_window;
    next_incoming_id_ = begin.next_outgoing_id;
    auto attach = peer::attach(task_.role, 0, "faulty");
    is_sender() ? attach.target(task_.node) : attach.source(task_.node);
    send(attach);
}

void FaultyClient::on(const codec::Attach& attach, std::uint16_t) {
    attached_ = true;
    refused_ = (is_sender() ? !attach.target : !attach.source) && !faults_.has("refused links are active");
    const std::uint64_t most = attach.max_message_size.value_or(0);
    const bool too_large = is_sender() && most != 0 && task_.size > most;
    if (too_large && !faults_.has("max-message-size is passed over")) refused_ = true;
    delivery_count_ = attach.initial_delivery_count.value_or(0);
    if (!is_sender() && !refused_) send_flow();
}

void FaultyClient::on(const codec::Flow& flow, std::uint16_t) {
    if (!mapped_) return fail_with(codec::condition::illegal_state);
    if (flow.handle.value_or(0) != 0 && !faults_.has("unattached handles are passed over"))
        return send(peer::end().error(codec::condition::unattached_handle));
    // The window and the credit are counted from what the flow knows of; what was taken back stops what is to come.
    window_end_ = flow.next_incoming_id.value_or(0) + flow.incoming_window;
    if (faults_.has("windows count from now")) window_end_ = next_outgoing_id_ + flow.incoming_window;
    if (flow.handle && flow.link_credit) credit_end_ = flow.delivery_count.value_or(0) + *flow.link_credit;
    if (faults_.has("credit counts from now") && flow.link_credit) credit_end_ = delivery_count_ + *flow.link_credit;
    if (is_sender()) send_messages();
    if (is_sender() && flow.drain && !faults_.has("drain is not answered")) {
        delivery_count_ = credit_end_;
        send_flow();
    }
    if (flow.echo) send_flow();
}

void FaultyClient::send_messages() {
    const auto left = [](std::uint32_t end, std::uint32_t now) { return static_cast<std::int32_t>(end - now) > 0; };
    while (!closed_ && !refused_) {
        const bool has_credit = left(credit_end_, delivery_count_) || faults_.has("credit is passed over");
        if (frames_.empty() && delivery_count_ < task_.count && has_credit) {
            auto frame = peer::transfer(0);
            frame.delivery_id(delivery_count_).delivery_tag("tag-" + std::to_string(delivery_count_)).message_format(0);
            ++delivery_count_;
            const auto message = codec::encode(codec::Message(std::string(task_.size, 'x'))).octets().contiguous();
            const std::size_t step = frame_size_max_ - 40 + (faults_.has("frames are cut too large") ? 60 : 0);
            const std::string octets(message.text());
            for (std::size_t at = 0; at < octets.size(); at += step, frame = peer::transfer(0))
                frames_.push_back(frame.payload(octets.substr(at, step)).more(at + step < octets.size()));
        }
        if (frames_.empty()) return;
        if (!left(window_end_, next_outgoing_id_) && !faults_.has("windows are passed over")) return;
        send(frames_.front());
        frames_.pop_front();
        ++next_outgoing_id_;
    }
}

void FaultyClient::send_flow() {
    auto flow = peer::flow();
    flow.next_incoming_id(next_incoming_id_).next_outgoing_id(next_outgoing_id_);
    const std::uint32_t credit = is_sender() ? credit_end_ - delivery_count_ : task_.count;
    if (attached_) flow.handle(0).delivery_count(delivery_count_).link_credit(credit);
    send(flow);
}

void FaultyClient::on(const codec::Transfer& transfer, std::uint16_t channel) {
    if (channel != 0 || transfer.handle != 0) return fail_with(codec::condition::not_allowed);
    ++next_incoming_id_;
    ++delivery_count_;
    if (!transfer.settled.value_or(false) || faults_.has("settled deliveries are settled again"))
        send(peer::disposition(codec::Role::receiver, transfer.delivery_id.value_or(0)).settled().accepted());
    if (++settled_ == task_.count) leave();
}

void FaultyClient::on(const codec::Disposition& disposition, std::uint16_t) {
    if (disposition.role != codec::Role::receiver && !faults_.has("roles are passed over")) return;
    settled_ += disposition.last.value_or(disposition.first) - disposition.first + 1;
    if (settled_ >= task_.count) leave();
}

void FaultyClient::on(const codec::Detach& detach, std::uint16_t) {
    if (detach.handle != 0) return send(peer::end().error(codec::condition::unattached_handle));
    if (!faults_.has("detach is not answered")) send(peer::detach(0).closed(detach.closed));
}

void FaultyClient::on(const codec::End&, std::uint16_t) {
    if (!mapped_) return fail_with(codec::condition::illegal_state);
    mapped_ = false;
    send(peer::end());
}

void FaultyClient::on(const codec::Close&, std::uint16_t) {
    if (!closing_ && !faults_.has("close is not answered")) send(peer::close());
    closed_ = !faults_.has("close is not answered");
}

void FaultyClient::leave() {
    closing_ = true;
    send(peer::close());
}

void FaultyClient::fail_with(std::string_view condition) {
    closing_ = true;
    send(peer::close().error(condition, "told to"));
}

std::string FaultyClients::start(const Task& task) {
    connected_ = false;
    client_ = faults_.has("does not start") ? nullptr : std::make_shared<FaultyClient>(faults_, task);
    return client_ ? "" : "no such program";
}

std::unique_ptr<peer::Channel> FaultyClients::accept(peer::Duration, std::string& why) {
    why = "no connection from the client";
    if (connected_ || faults_.has("does not connect")) return nullptr;
    connected_ = true;
    return std::make_unique<ClientChannel>(client_);
}

std::optional<int> FaultyClients::wait(peer::Duration) { return client_ ? client_->exit_code() : std::nullopt; }

Ended FaultyClients::stop() {
    Ended ended;
    if (!client_) return ended;
    ended.exit_code = client_->exit_code();
    ended.by_itself = client_->closed();
    if (client_->crashed()) ended.crash = "its process was ended by a signal";
    ended.said = "faulty as ever";
    return ended;
}

}  // namespace aprotic::conform
