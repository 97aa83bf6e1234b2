#include <utility>

#include <fmt/core.h>

#include <aprotic/engine/core/connection_endpoint.hpp>

// What the peer sends, frame by frame.

namespace aprotic::engine::core {
namespace {

namespace descriptor = codec::descriptor;

Fault undecodable(std::error_code why, std::string_view what) {
    const std::string_view rule =
        why.category() == codec::codec_category() ? codec::clause_of(static_cast<codec::Errc>(why.value())) : "";
    return connection_fault(codec::condition_of(why), rule.empty() ? "2.3.2-a" : rule,
                            fmt::format("{}: {}", what, why.message()));
}

}  // namespace

bool ConnectionEndpoint::discards_input() const noexcept {
    return state_ == ConnectionState::discarding || (close_due_ && close_at_once_);
}

void ConnectionEndpoint::recv_input(Instant now) {
    now_ = now;
    while (!ended_ && !remote_closed_ && !garbled_) {
        if (recv_whole_transfer()) continue;
        const codec::FrameParser::Step step = inbox_.next();
        if (step.status == codec::FrameParser::Status::need_more) return;
        if (step.status == codec::FrameParser::Status::error) {
            garbled_ = step.size == 0;
            fail(*undecodable(step.error, "a frame cannot be read"));
            continue;
        }
        if (trace_ != nullptr) trace_->frame(false, step.frame.frame);
        context_.frame_cost = step.frame.performative.size() * EndpointContext::decoded_per_octet;
        if (const Fault fault = recv_frame(step.frame)) fail(*fault);
        context_.frame_cost = 0;
    }
    inbox_.consume(inbox_.unread().size());
}

/// The most frequent frame of all, a message in one frame, where nothing is special about connection, session or link.
/// False, and nothing has happened: it is another frame, or the functions below have something to say about it.
bool ConnectionEndpoint::recv_whole_transfer() {
    if (state_ != ConnectionState::opened || close_at_once_) return false;
    codec::WholeTransfer transfer;
    const std::span<const std::byte> unread = inbox_.unread();
    const std::size_t size = codec::read_whole_transfer(unread, context_.limits.frame_size_max, transfer);
    if (size == 0) return false;
    SessionEndpoint* const session = remote_channels_.find(transfer.channel);
    if (session == nullptr || !session->recv_whole_transfer(transfer, inbox_)) return false;
    if (trace_ != nullptr) trace_->frame(false, unread.first(size));
    inbox_.consume(size);
    return true;
}

Fault ConnectionEndpoint::recv_frame(const codec::FrameView& frame) {
    if (frame.type != codec::FrameType::amqp) {
        return connection_fault(codec::condition::framing_error, "2.3-g", "a SASL frame came after the AMQP header");
    }
    if (discards_input() && !frame.is(descriptor::close)) return {};  // [2.4.3-i]
    if (frame.channel > context_.limits.channel_max) {
        return connection_fault(
            codec::condition::framing_error, "2.7.1-l",
            fmt::format("channel {} is above our channel-max {}", frame.channel, context_.limits.channel_max));
    }
    if (frame.empty()) {
        inbox_.rest();
        return {};  // traffic, and nothing else [2.3.2-c]
    }
    if (frame.is(descriptor::open)) return recv_open(frame);
    if (frame.is(descriptor::close)) return recv_close(frame);
    if (!next(state_, ConnectionInput::recv_frame)) {
        return connection_fault(codec::condition::illegal_state, "2.4.1-a", "a frame came before open");
    }
    if (frame.is(descriptor::begin)) return recv_begin(frame);
    return recv_session_frame(frame);
}

Fault ConnectionEndpoint::recv_open(const codec::FrameView& frame) {
    if (!next(state_, ConnectionInput::recv_open)) {
        return connection_fault(codec::condition::illegal_state, "2.4.1-g", "open came twice");
    }
    if (frame.channel != 0) {
        return connection_fault(codec::condition::not_allowed, "2.4.1-b", "open came on another channel than 0");
    }
    auto open = frame.as<codec::Open>();
    if (!open) return undecodable(open.error(), "open cannot be read");
    move(ConnectionInput::recv_open);
    if (open->max_frame_size < codec::protocol::min_max_frame_size) {
        return connection_fault(codec::condition::invalid_field, "2.7.1-f",
                                fmt::format("max-frame-size {} is below 512", open->max_frame_size));
    }
    timers_.stop(Timer::open);
    context_.remote_frame_size_max = open->max_frame_size;
    context_.remote_channel_max = open->channel_max;
    remote_open_ = std::move(*open);
    restart_idle_send(now_);
    context_.events.push(ConnectionOpened{*remote_open_}, context_.frame_cost);
    // Sessions begun before anybody knew how many the peer takes. [2.7.1-k]
    context_.sessions.for_each([this](SessionEndpoint& session) {
        if (session.channel() <= *context_.remote_channel_max) return;
        session.cut(Initiator::us, codec::ErrorCondition{codec::Symbol(codec::condition::resource_limit_exceeded),
                                                         "the peer's channel-max leaves no room for the session",
                                                         {}});
    });
    return {};
}

Fault ConnectionEndpoint::recv_close(const codec::FrameView& frame) {
    if (!next(state_, ConnectionInput::recv_close)) {
        return connection_fault(codec::condition::illegal_state, "2.4.1-a", "close came before open");
    }
    // Even a close that cannot be read is a close.
    auto close = frame.as<codec::Close>();
    std::optional<codec::ErrorCondition> error;
    if (close) error = std::move(close->error);
    move(ConnectionInput::recv_close);
    remote_closed_ = read_over_ = true;
    timers_.stop(Timer::open);
    timers_.stop(Timer::idle_receive);
    // Our own closing is the reason unless the peer has a better one.
    const bool ours = (close_due_ || close_written_) && !error;
    const bool lost = failure_ && failure_->code == Errc::connection_lost;
    if (!ours && (!failure_ || lost)) {
        failure_ =
            Failure{make_error_code(Errc::closed_by_peer), Initiator::peer, error, "the peer closed the connection"};
    }
    if (close_written_) {
        finish_if_done();
        return {};
    }
    context_.events.push(ConnectionClosedByPeer{std::move(error)}, context_.frame_cost);
    if (write_closed_) finish();
    return {};
}

Fault ConnectionEndpoint::recv_begin(const codec::FrameView& frame) {
    if (remote_channels_.find(frame.channel) != nullptr) {
        return connection_fault(codec::condition::illegal_state, "2.5.1-e",
                                fmt::format("begin came twice on channel {}", frame.channel));
    }
    auto begin = frame.as<codec::Begin>();
    if (!begin) return undecodable(begin.error(), "begin cannot be read");
    if (begin->remote_channel) {
        const std::uint16_t ours = *begin->remote_channel;
        SessionEndpoint* const session = ours < channels_.size() ? channels_[ours] : nullptr;
        if (session == nullptr || !session->awaits_begin() || session->state() == SessionState::unmapped) {
            return connection_fault(codec::condition::not_allowed, "2.5.1-d",
                                    fmt::format("begin answers channel {}, where no session waits", ours));
        }
        remote_channels_.insert(frame.channel, *session);
        session->recv_begin(frame.channel, std::move(*begin));
        return {};
    }
    const auto channel = free_channel();
    if (!channel) {
        return connection_fault(codec::condition::resource_limit_exceeded, "2.7.1-k",
                                "no channel that the peer takes is left to answer its begin");
    }
    const auto [id, session] = context_.sessions.emplace(context_, *channel, SessionOptions{});
    session->set_id(id);
    if (*channel >= channels_.size()) channels_.resize(*channel + std::size_t{1});
    channels_[*channel] = session;
    remote_channels_.insert(frame.channel, *session);
    session->recv_begin(frame.channel, std::move(*begin));
    return {};
}

Fault ConnectionEndpoint::recv_session_frame(const codec::FrameView& frame) {
    SessionEndpoint* const session = remote_channels_.find(frame.channel);
    if (session == nullptr) {
        return connection_fault(codec::condition::not_allowed, "2.5.1-f",
                                fmt::format("no session is on channel {}", frame.channel));
    }
    if (frame.is(descriptor::end)) {
        auto end = frame.as<codec::End>();
        if (!end) return undecodable(end.error(), "end cannot be read");
        remote_channels_.erase(frame.channel, *session);
        session->recv_end(std::move(*end));
        return {};
    }
    if (session->drops_input()) return {};

    // Read where it is used: what passes by the thousand is not moved.
    const auto apply = [&](auto&& performative, std::string_view name, auto&& recv) -> Fault {
        if (const auto read = frame.read(performative); !read)
            return undecodable(read.error(), fmt::format("{} cannot be read", name));
        return recv(performative);
    };
    Fault fault;
    switch (frame.code) {
        case descriptor::transfer:
            fault = [&]() -> Fault {
                codec::Transfer transfer;
                if (!codec::read_plain_transfer(frame.performative, transfer)) {
                    if (const auto read = frame.read(transfer); !read)
                        return undecodable(read.error(), "transfer cannot be read");
                }
                return session->recv_transfer(transfer, inbox_.share(frame.payload));
            }();
            break;
        case descriptor::disposition:
            fault = apply(codec::Disposition(), "disposition", [&](codec::Disposition& disposition) {
                session->recv_disposition(disposition);
                return Fault();
            });
            break;
        case descriptor::flow:
            fault = apply(codec::Flow(), "flow", [&](codec::Flow& flow) { return session->recv_flow(flow); });
            break;
        case descriptor::attach:
            fault = apply(codec::Attach(), "attach",
                          [&](codec::Attach& attach) { return session->recv_attach(std::move(attach)); });
            break;
        case descriptor::detach:
            fault = apply(codec::Detach(), "detach",
                          [&](codec::Detach& detach) { return session->recv_detach(std::move(detach)); });
            break;
        default:
            return connection_fault(codec::condition::not_implemented, "2.3.2-a",
                                    fmt::format("unknown performative {:#x}", frame.code));
    }
    if (!fault || fault->scope != FaultScope::session) return fault;
    session->fail(to_condition(*fault));
    return {};
}

void ConnectionEndpoint::fail(const ProtocolFault& fault) {
    if (ended_ || discards_input() || close_written_) return;
    codec::ErrorCondition error = to_condition(fault);
    failure_ = Failure{make_error_code(Errc::protocol_violation), Initiator::peer, error,
                       fmt::format("the peer broke the protocol: {} [{}]", fault.text, fault.rule)};
    close_due_ = close_at_once_ = true;
    close_error_ = std::move(error);
    arm_close_timer(now_);
}

}  // namespace aprotic::engine::core
