#pragma once

#include <aprotic/codec/assert.hpp>
#include <aprotic/codec/frame.hpp>
#include <aprotic/engine/engine.hpp>
#include <aprotic/engine/suspended_link.hpp>
#include <aprotic/engine/tls.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

/// Plays a hostile peer against one Engine, with an application on top that answers events as a broker or a client
/// would.
///
/// The input is: one octet of options, the number of commands, the commands (two octets each: what, and before which
/// part of the stream), then the peer's octets. Whatever they are, three things must hold besides the sanitizers'
/// silence: what the engine writes is well formed, it stays within a bound, and after the stream has ended the engine
/// does too.
namespace aprotic::fuzz {

class Drive {
public:
    /// What is between the stream and AMQP. What such an engine writes is not looked at.
    enum class Layers { none, web_socket, proxy, listener };

    /// `tls` is the listener's.
    Drive(engine::EngineRole role, std::span<const std::uint8_t> input, Layers layers = Layers::none,
          std::shared_ptr<const engine::TlsContext> tls = {})
        : input_(input),
          role_(role),
          layers_(layers),
          tls_(std::move(tls)),
          flags_(octet()),
          engine_(role, options(), now_, 1, (flags_ & 16U) == 0) {}

    void run() {
        std::vector<std::pair<std::uint8_t, std::uint8_t>> commands(octet() & 15U);
        for (auto& command : commands) command = {octet(), octet()};
        const auto stream = input_;
        // A client opens at once; so does a server that does not wait for the peer's open.
        if (role_ == engine::EngineRole::client || (flags_ & 32U) != 0) static_cast<void>(engine_.open());
        settle_down();

        std::size_t done = 0;
        std::size_t next = 0;
        while (done < stream.size() && !engine_.wants_close()) {
            while (next < commands.size() && commands[next].second <= done * 255 / stream.size())
                obey(commands[next++].first);
            const std::size_t limit = next < commands.size() ? 64 : SIZE_MAX;
            const auto room = engine_.prepare_read();
            if (room.empty()) {
                // Reading stops only while output waits, events wait, or at the end; none can last.
                settle_down();
                APROTIC_ASSERT(++refusals_ < 1000);
                pass(std::chrono::milliseconds(100));
                continue;
            }
            refusals_ = 0;
            const std::size_t size = std::min({room.size(), stream.size() - done, limit});
            std::transform(stream.begin() + static_cast<std::ptrdiff_t>(done),
                           stream.begin() + static_cast<std::ptrdiff_t>(done + size), room.begin(),
                           [](std::uint8_t o) { return std::byte{o}; });
            engine_.commit_read(size, now_);
            done += size;
            settle_down();
        }
        while (next < commands.size()) obey(commands[next++].first);
        finish();
    }

private:
    static constexpr std::size_t output_max = 8U << 20U;

    std::uint8_t octet() {
        if (input_.empty()) return 0;
        const std::uint8_t value = input_.front();
        input_ = input_.subspan(1);
        return value;
    }

    engine::ConnectionOptions options() const {
        engine::ConnectionOptions options;
        options.container_id = "fuzz";
        options.limits.frame_size_max = (flags_ & 1U) != 0 ? 512 : 16384;
        options.limits.channel_max = 3;
        options.limits.handle_max = 7;
        options.limits.incoming_window = 16;
        options.limits.message_size_max = 1U << 16U;
        options.limits.buffered_bytes_max = 1U << 20U;
        if ((flags_ & 2U) != 0) options.idle_timeout = std::chrono::seconds(1);
        options.web_socket.enabled = layers_ == Layers::web_socket || layers_ == Layers::listener;
        options.tls.context = tls_;
        options.tls.required = (flags_ & 128U) != 0;
        if (layers_ == Layers::proxy) {
            options.proxy.host = "proxy";
            options.proxy.server = "server:5672";
        }
        options.sasl.enabled = (flags_ & 4U) != 0;
        if ((flags_ & 8U) != 0) {
            options.sasl.username = "user";
            options.sasl.password = "password";
            options.sasl_server.required = true;
        }
        options.sasl_server.verify_password = [](std::string_view user, std::string_view password) {
            return user == "guest" && password == "guest";
        };
        options.sasl_server.verify_token = [](std::string_view token) {
            return token == "token" ? std::optional<std::string>("guest") : std::nullopt;
        };
        return options;
    }

    void settle_down() {
        write();
        answer_events();
        write();
    }

    void write() {
        std::array<codec::ConstBuffer, 4> buffers;
        while (const std::size_t count = engine_.prepare_write(buffers, now_)) {
            std::size_t size = 0;
            for (const auto& buffer : std::span(buffers).first(count)) {
                written_.insert(written_.end(), buffer.data, buffer.data + buffer.size);
                size += buffer.size;
            }
            APROTIC_ASSERT(size > 0);
            engine_.commit_write(size, now_);
            output_ += size;
            APROTIC_ASSERT(output_ < output_max);
        }
        check_written();
    }

    /// Protocol headers may stand wherever a frame may: which come when is for the tests to say.
    void check_written() {
        if (layers_ != Layers::none) return written_.clear();
        std::span<const std::byte> rest(written_);
        const codec::FrameParser parser(UINT32_MAX);
        while (!rest.empty()) {
            if (std::to_integer<char>(rest[0]) == 'A') {
                if (rest.size() < codec::ProtocolHeader::size) break;
                APROTIC_ASSERT(codec::ProtocolHeader::parse(rest.first(codec::ProtocolHeader::size)).has_value());
                rest = rest.subspan(codec::ProtocolHeader::size);
                continue;
            }
            const auto step = parser.next(rest);
            APROTIC_ASSERT(step.status != codec::FrameParser::Status::error);
            if (step.status == codec::FrameParser::Status::need_more) break;
            rest = rest.subspan(step.size);
        }
        written_.erase(written_.begin(), written_.end() - static_cast<std::ptrdiff_t>(rest.size()));
    }

    void answer_events() {
        while (auto event = engine_.poll_event()) {
            APROTIC_ASSERT(!ended_);
            std::visit([this](const auto& e) { on(e); }, *event);
        }
    }

    template <class E>
    void on(const E&) {}
    void on(const engine::ConnectionOpened&) { static_cast<void>(engine_.open()); }
    void on(const engine::ConnectionEnded&) { ended_ = true; }
    void on(const engine::SessionOpened& e) { session_ = e.session; }
    void on(const engine::LinkRequested& e) {
        engine::LinkOptions ours;
        ours.source = e.remote.source;
        ours.target = e.remote.target;
        ours.resumable = e.remote.unsettled.has_value();
        if (e.remote.name == "parts") ours.stream_window = 1000;
        if (suspended_ && suspended_->name == e.remote.name && suspended_->role != e.remote.role)
            ours.suspended = suspended_;
        if (e.remote.name == "refuse") {
            codec::ErrorCondition error;
            error.condition = codec::Symbol(codec::condition::not_found);
            static_cast<void>(engine_.refuse(e.link, error));
            return;
        }
        static_cast<void>(engine_.accept(e.link, ours));
        opened(e.link, codec::opposite(e.remote.role));
    }
    void on(const engine::LinkOpened& e) { opened(e.link, codec::opposite(e.remote.role)); }
    void on(const engine::LinkDetaching& e) { static_cast<void>(engine_.detach(e.link, e.closed)); }
    void on(const engine::LinkFlowed& e) {
        if (const auto status = engine_.status(e.link); status && status->credit > 0 && status->queued == 0)
            send(e.link, 10);
    }
    void on(const engine::DeliveryReceived& e) {
        const auto delivery = engine_.take(e.delivery);
        if (!delivery) return;
        switch (delivery->tag.size() & 3U) {
            case 0: static_cast<void>(engine_.settle(e.delivery, codec::DeliveryState(codec::Accepted{}))); break;
            case 1: static_cast<void>(engine_.settle(e.delivery, codec::DeliveryState(codec::Released{}))); break;
            case 2: static_cast<void>(engine_.update(e.delivery, codec::DeliveryState(codec::Accepted{}))); break;
            default: kept_ = e.delivery; break;
        }
        if (const auto status = engine_.status(e.link); status && status->credit < 3) {
            static_cast<void>(engine_.set_credit(e.link, 5));
        }
    }
    void on(const engine::DeliveryUpdated& e) {
        if (e.wants_more) {
            append(e.delivery, 100);
        } else {
            static_cast<void>(engine_.settle(e.delivery));
        }
    }
    void on(const engine::LinkDetached& e) {
        if (e.suspended) suspended_ = e.suspended;
    }

    void opened(engine::LinkId link, codec::Role role) {
        link_ = link;
        if (role == codec::Role::receiver) {
            static_cast<void>(engine_.set_credit(link, 5));
        } else {
            send(link, 10);
        }
    }

    void send(engine::LinkId link, std::size_t size) {
        // What a peer's credit makes us send is our own choice, so it is bounded here.
        if (sent_ > 64) return;
        ++sent_;
        engine::SendOptions how;
        how.settled = (sent_ & 1U) != 0;
        const auto delivery = engine_.send(link, codec::encode(codec::Message(std::string(size, 'x'))), how);
        if (delivery) kept_ = *delivery;
    }

    void obey(std::uint8_t what) {
        engine::LinkOptions link;
        link.name = "link";
        link.source.emplace().address = "node";
        link.target = codec::AttachTarget(codec::Target{});
        if ((what & 32U) != 0) return obey_of_parts(what, link);
        switch (what & 15U) {
            case 0: static_cast<void>(engine_.open()); break;
            case 1:
                if (const auto session = engine_.begin()) session_ = *session;
                break;
            case 2:
                if (const auto id = engine_.attach(session_, link)) link_ = *id;
                break;
            case 3:
                link.role = codec::Role::receiver;
                if (const auto id = engine_.attach(session_, link)) {
                    link_ = *id;
                    static_cast<void>(engine_.set_credit(link_, 3));
                }
                break;
            case 4: send(link_, 10); break;
            case 5: send(link_, 40'000); break;
            case 6: static_cast<void>(engine_.drain(link_)); break;
            case 7: static_cast<void>(engine_.set_available(link_, 7)); break;
            case 8: static_cast<void>(engine_.detach(link_, (what & 16U) != 0)); break;
            case 9: static_cast<void>(engine_.end(session_)); break;
            case 10: engine_.close(); break;
            case 11: static_cast<void>(engine_.settle(kept_, codec::DeliveryState(codec::Accepted{}))); break;
            case 12: static_cast<void>(engine_.retract(kept_)); break;
            case 13: static_cast<void>(engine_.set_credit(link_, 3)); break;
            case 14: pass(std::chrono::milliseconds(600)); break;
            default: pass(std::chrono::seconds(20)); break;
        }
        if ((what & 64U) == 0) settle_down();
    }

    /// What has to do with deliveries in parts and suspended links.
    void obey_of_parts(std::uint8_t what, engine::LinkOptions& link) {
        switch (what & 15U) {
            case 0:
            case 1: {
                engine::SendOptions how;
                how.settled = (what & 1U) != 0;
                if (const auto delivery = engine_.begin_send(link_, how)) kept_ = *delivery;
                break;
            }
            case 2: append(kept_, 10); break;
            case 3: append(kept_, 5000); break;
            case 4: static_cast<void>(engine_.finish_send(kept_)); break;
            case 5: static_cast<void>(engine_.abort_send(kept_)); break;
            case 6: static_cast<void>(engine_.update(kept_, codec::DeliveryState(codec::Received{1, 0}))); break;
            case 7: static_cast<void>(engine_.take(kept_)); break;
            case 8: static_cast<void>(engine_.detach(link_, false)); break;
            case 9:
                if (suspended_ && !suspended_->deliveries.empty())
                    suspended_->deliveries.front().state = codec::DeliveryState(codec::Accepted{});
                break;
            default:
                link.resumable = true;
                link.role = (what & 1U) != 0 ? codec::Role::sender : codec::Role::receiver;
                if ((what & 2U) != 0) link.stream_window = 1000;
                if ((what & 4U) != 0) link.rcv_settle_mode = codec::ReceiverSettleMode::second;
                if (suspended_) {
                    link.suspended = suspended_;
                    link.role = suspended_->role;
                }
                if (const auto id = engine_.attach(session_, link)) opened(*id, link.role);
                break;
        }
        if ((what & 64U) == 0) settle_down();
    }

    void append(engine::DeliveryId delivery, std::size_t size) {
        if (parts_ > 64) return;
        ++parts_;
        static_cast<void>(
            engine_.append(delivery, codec::ByteChain(codec::Bytes::from_string(std::string(size, 'p')))));
    }

    void pass(engine::Duration by) {
        const engine::Instant end = now_ + by;
        for (int turns = 0;; ++turns) {
            APROTIC_ASSERT(turns < 100'000);
            const auto next = engine_.poll_timeout();
            if (!next || *next > end) break;
            now_ = std::max(now_, *next);
            engine_.handle_timeout(now_);
            settle_down();
        }
        now_ = end;
    }

    void finish() {
        settle_down();
        if (!engine_.wants_close()) {
            if ((flags_ & 64U) != 0) {
                engine_.close();
            } else {
                engine_.close_read({}, now_);
            }
            settle_down();
        }
        for (int turns = 0; !engine_.wants_close(); ++turns) {
            APROTIC_ASSERT(turns < 100);
            pass(std::chrono::seconds(1));
            settle_down();
        }
        answer_events();
        APROTIC_ASSERT(ended_);
        APROTIC_ASSERT(engine_.prepare_read().empty());
    }

    std::span<const std::uint8_t> input_;
    engine::EngineRole role_;
    Layers layers_;
    std::shared_ptr<const engine::TlsContext> tls_;
    std::uint8_t flags_;
    engine::Instant now_{std::chrono::hours(1)};
    engine::Engine engine_;
    std::vector<std::byte> written_;  // the last frame, as far as it has come
    std::size_t output_ = 0;
    std::size_t refusals_ = 0;
    std::size_t sent_ = 0;
    bool ended_ = false;
    engine::SessionId session_;
    engine::LinkId link_;
    engine::DeliveryId kept_;
    std::size_t parts_ = 0;
    std::shared_ptr<engine::SuspendedLink> suspended_;
};

}  // namespace aprotic::fuzz
