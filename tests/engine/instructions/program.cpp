// What callgrind counts the instructions of: messages of 100 octets from one end of a connection to the other and their
// outcomes back, a window at a time, after two windows that do not count. Both ends are in the one thread, so a count
// is that of sender and receiver together. check.py of the codec's instructions runs it.
#include <array>
#include <memory>
#include <string>
#include <utility>

#include <aprotic/engine/container.hpp>
#include <aprotic/engine/engine.hpp>
#include <aprotic/engine/memory_stream.hpp>

#include "sim/sim_reactor.hpp"
#include "support/instruction_count.hpp"

using namespace aprotic;
using namespace aprotic::engine;
using test::fail;
using test::window;

namespace {

constexpr std::uint32_t credit = 1000;

codec::EncodedMessage message() {
    static const std::string body(100, 'x');
    return codec::encode_data(body);
}

/// Two engines, and nothing around them.
class Engines {
public:
    Engines() {
        client_.open().value();
        exchange();
        const SessionId session = client_.begin().value();
        link_ =
            client_
                .attach(session, {.name = "link", .role = codec::Role::sender, .target = codec::Target{.address = "t"}})
                .value();
        exchange();
        if (!received_on_) fail("no link");
    }

    void run(const char* name, bool settled) {
        test::count_instructions(name, test::windows, test::window, [&] {
            const std::uint64_t end = outcomes_ + window;
            for (int i = 0; i < window; ++i) client_.send(link_, message(), {.settled = settled}).value();
            while (outcomes_ < end) exchange();
        });
    }

private:
    void exchange() {
        carry(client_, server_);
        carry(server_, client_);
        while (auto event = server_.poll_event()) at_server(*event);
        while (auto event = client_.poll_event()) {
            if (const auto* news = std::get_if<DeliveryUpdated>(&*event)) outcomes_ += news->settled ? 1 : 0;
        }
    }
    void at_server(Event& event) {
        if (std::get_if<ConnectionOpened>(&event) != nullptr) server_.open().value();
        if (const auto* asked = std::get_if<LinkRequested>(&event)) {
            received_on_ = asked->link;
            server_.accept(asked->link, {.target = asked->remote.target}).value();
            grant();
        }
        const auto* const received = std::get_if<DeliveryReceived>(&event);
        if (received == nullptr) return;
        const IncomingDelivery taken = server_.take(received->delivery).value();
        if (codec::MessageView(taken.payload).body_text().value().size() != 100) fail("another message");
        if (!taken.settled) server_.settle(received->delivery, codec::Accepted{}).value();
        if (--credit_ == credit / 2) grant();
    }
    void grant() {
        credit_ = credit;
        server_.set_credit(*received_on_, credit).value();
    }
    static void carry(Engine& from, Engine& to) {
        std::array<codec::ConstBuffer, 64> gather;
        while (const std::size_t entries = from.prepare_write(gather, {})) {
            std::size_t written = 0;
            for (const codec::ConstBuffer& piece : std::span(gather).first(entries)) {
                for (std::size_t at = 0; at < piece.size;) {
                    const std::span<std::byte> room = to.prepare_read();
                    if (room.empty()) fail("nothing is read");
                    const std::size_t n = std::min(room.size(), piece.size - at);
                    __builtin_memcpy(room.data(), piece.data + at, n);
                    to.commit_read(n, {});
                    at += n;
                }
                written += piece.size;
            }
            from.commit_write(written, {});
        }
    }

    Engine client_{EngineRole::client, {.container_id = "client"}, {}, 1, true};
    Engine server_{EngineRole::server, {.container_id = "server"}, {}, 2, true};
    LinkId link_;
    std::optional<LinkId> received_on_;
    std::uint32_t credit_ = 0;
    std::uint64_t outcomes_ = 0;
};

/// The same through the event layer, over streams in memory.
class Connections {
public:
    Connections() {
        reactor_.post([this] {
            auto [ours, theirs] = make_memory_streams(reactor_);
            server_connection_ = server_.adopt(std::move(theirs), true, {}, std::make_shared<Server>());
            connection_ = client_.adopt(std::move(ours), false);
            auto handler = std::make_shared<Out>();
            sender_ = connection_.open_sender("t", {}, handler);
        });
        if (!reactor_.run_until([this] { return sender_ && sender_.is_open() && sender_.credit() > 0; }))
            fail("no link");
    }
    ~Connections() {
        reactor_.post([this] { connection_.close(); });
        reactor_.run_for(std::chrono::seconds(1));
    }

    void run(const char* name, bool settled) {
        test::count_instructions(name, test::windows, test::window, [&] {
            const std::uint64_t end = outcomes_ + window;
            reactor_.post([this, settled] {
                for (int i = 0; i < window; ++i) {
                    sender_.send(message(), SendParameters{.settled = settled}).on_done([this](const Outcome& outcome) {
                        const bool good = outcome.accepted() || outcome.kind == Outcome::Kind::sent;
                        if (!good) fail("a message has failed");
                        ++outcomes_;
                    });
                }
            });
            if (!reactor_.run_until([&] { return outcomes_ >= end; })) fail("outcomes are missing");
        });
    }

private:
    struct Out final : SenderHandler {};
    struct In final : ReceiverHandler {
        void on_message(Receiver&, Delivery& delivery) override {
            if (delivery.message().body_text().value().size() != 100) fail("another message");
            delivery.accept();
        }
    };
    struct Server final : ConnectionHandler {
        void on_receiver_requested(Connection&, LinkRequest request) override {
            request.accept_receiver({.credit = credit}, std::make_shared<In>());
        }
    };

    sim::SimReactor reactor_;
    Container server_{reactor_, "server"};
    Container client_{reactor_, "client"};
    Connection server_connection_;
    Connection connection_;
    Sender sender_;
    std::uint64_t outcomes_ = 0;
};

}  // namespace

int main() {
    {
        Engines engines;
        engines.run("engines-unsettled-100", false);
        engines.run("engines-settled-100", true);
    }
    Connections connections;
    connections.run("connections-unsettled-100", false);
    connections.run("connections-settled-100", true);
}
