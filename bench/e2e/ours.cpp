// The sibling of proton.cpp on Aprotic's event layer.

#include <array>
#include <functional>
#include <future>
#include <iostream>
#include <map>
#include <memory>

#include <aprotic/codec/message.hpp>
#include <aprotic/engine/container.hpp>
#include <aprotic/engine/tls.hpp>

#include "common.hpp"

namespace {

using namespace aprotic::engine;
using namespace bench;
namespace codec = aprotic::codec;

codec::Message message(std::string octets) {
    return codec::Message::data(codec::Bytes::from_string(std::move(octets)));
}

/// The start and the size of a body of data.
struct Body {
    explicit Body(const codec::MessageView& view) {
        const auto octets = view.body_data();
        if (!octets) throw std::runtime_error("a body that is no data");
        size = octets->size();
        octets->copy_to(0, start);
    }
    std::array<std::byte, 8> start{};
    std::size_t size = 0;
};

struct ToSend final : SenderHandler {
    void on_credit(Sender& sender) override {
        if (credit) credit(sender);
    }
    void on_close(Sender&, const std::optional<Failure>&) override {
        if (closed) closed();
    }
    std::function<void(Sender&)> credit;
    std::function<void()> closed;
};

struct ToReceive final : ReceiverHandler {
    void on_open(Receiver& receiver) override {
        if (open) open(receiver);
    }
    void on_message(Receiver&, Delivery& delivery) override { message(delivery); }
    std::function<void(Receiver&)> open;
    std::function<void(Delivery&)> message;
};

ConnectionOptions connection_options(const Arguments& arguments) {
    ConnectionOptions options;
    TlsOptions tls;
    tls.ca_file = arguments.tls_ca;
    tls.certificate_file = arguments.tls_cert;
    tls.key_file = arguments.tls_key;
    tls.resume_sessions = arguments.resume;
    if (tls.ca_file.empty() && tls.certificate_file.empty()) return options;
    const auto made = arguments.listen ? TlsContext::make_server(tls) : TlsContext::make_client(tls);
    if (!made) throw std::runtime_error(made.error().message());
    options.tls.context = *made;
    return options;
}

/// Everything runs on the container's thread; main waits for the end.
class Program : public ConnectionHandler, public std::enable_shared_from_this<Program> {
public:
    explicit Program(const Arguments& given) : arguments(given) {}

    void run() {
        auto over = over_.get_future();
        Container container;
        Listener listener;
        if (arguments.listen) {
            const auto at = Address::parse(arguments.at);
            if (!at) throw std::runtime_error(at.error());
            auto made =
                container.listen(*at, connection_options(arguments), [self = shared_from_this()] { return self; });
            if (!made) throw std::runtime_error(made.error().message());
            listener = *made;
            say("listening on " + listener.address().to_string());
        } else {
            const char* const scheme = arguments.tls_ca.empty() ? "amqp://" : "amqps://";
            container.connect(scheme + arguments.at, connection_options(arguments), shared_from_this());
        }
        over.get();
    }

    void on_open(Connection& opened) override {
        connection = opened;
        if (!arguments.listen) start();
    }
    void on_close(Connection&, const std::optional<Failure>& why) override {
        if (why && why->code != Errc::closed_by_peer) std::cerr << why->message() << std::endl;
        over_.set_value();
    }
    virtual void start() {}
    virtual void report() = 0;

protected:
    static ReceiverOptions reading() {
        ReceiverOptions options;
        options.credit = credit_window;
        return options;
    }
    /// As client; the peer closes when we are the server.
    void finish() {
        if (!arguments.listen) connection.close();
    }

    const Arguments arguments;
    Connection connection;

private:
    std::promise<void> over_;
};

class Send final : public Program {
public:
    using Program::Program;

    void start() override {
        auto handler = std::make_shared<ToSend>();
        handler->credit = [this](Sender& sender) { send(sender); };
        connection.open_sender(arguments.address, {}, handler);
    }
    void report() override { bench::report(digest_, accepted_ == arguments.count ? seconds_ : -1); }

private:
    void send(Sender& sender) {
        if (sent_ == 0) begin_ = Clock::now();
        while (sender.credit() > 0 && sent_ < arguments.count) {
            std::string octets = body(sent_++, arguments.size);
            digest_.add(octets.data(), octets.size());
            sender.send(message(std::move(octets))).on_done([this](const Outcome& outcome) {
                if (!outcome.accepted() || ++accepted_ != arguments.count) return;
                seconds_ = seconds_since(begin_);
                finish();
            });
        }
    }

    Digest digest_;
    std::uint64_t sent_ = 0;
    std::uint64_t accepted_ = 0;
    Clock::time_point begin_;
    double seconds_ = 0;
};

class Receive final : public Program {
public:
    using Program::Program;

    void start() override { connection.open_receiver(arguments.address, reading(), handler()); }
    void on_receiver_requested(Connection&, LinkRequest request) override {
        request.accept_receiver(reading(), handler());
    }
    void report() override { bench::report(digest_, seconds_); }

private:
    std::shared_ptr<ToReceive> handler() {
        auto handler = std::make_shared<ToReceive>();
        if (!arguments.listen) handler->open = [](Receiver&) { say("ready"); };
        handler->message = [this](Delivery& delivery) { receive(delivery); };
        return handler;
    }
    void receive(Delivery& delivery) {
        if (digest_.count() == 0) begin_ = Clock::now();
        const Body body(delivery.message());
        digest_.add(body.start.data(), body.size);
        delivery.accept();
        if (digest_.count() != arguments.count) return;
        seconds_ = seconds_since(begin_);
        finish();
    }

    Digest digest_;
    Clock::time_point begin_;
    double seconds_ = 0;
};

class Request final : public Program {
public:
    explicit Request(const Arguments& given) : Program(given), calls_(given.count, given.window) {}

    void start() override {
        auto sending = std::make_shared<ToSend>();
        sending->credit = [this](Sender&) { send(); };
        sender_ = connection.open_sender(arguments.address, {}, sending);
        auto receiving = std::make_shared<ToReceive>();
        receiving->open = [this](Receiver& receiver) {
            reply_to_ = receiver.address();
            send();
        };
        receiving->message = [this](Delivery& delivery) { receive(delivery); };
        auto options = reading();
        options.dynamic = true;
        connection.open_receiver("", options, receiving);
    }
    void report() override { calls_.report(); }

private:
    void send() {
        while (!reply_to_.empty() && sender_.credit() > 0 && calls_.may_start()) {
            const auto id = calls_.start();
            auto request = message(body(id, arguments.size));
            request.ensure_properties().message_id = id;
            request.ensure_properties().reply_to = reply_to_;
            sender_.send(request);
        }
    }
    void receive(Delivery& delivery) {
        const auto id = delivery.message().correlation_id();
        const Body body(delivery.message());
        if (!id || !calls_.finish(std::get<std::uint64_t>(*id), body.start.data(), body.size))
            throw std::runtime_error("a reply that nobody asked for");
        delivery.accept();
        if (calls_.done())
            finish();
        else
            send();
    }

    Calls calls_;
    Sender sender_;
    std::string reply_to_;
};

class Respond final : public Program {
public:
    using Program::Program;

    void start() override { connection.open_receiver(arguments.address, reading(), requests()); }
    void on_receiver_requested(Connection&, LinkRequest request) override {
        request.accept_receiver(reading(), requests());
    }
    void on_sender_requested(Connection&, LinkRequest request) override {
        const std::string address = "reply-" + std::to_string(replies_.size());
        SenderOptions options;
        options.link.source = request.attach().source;
        options.link.source->address = address;
        replies_[address] = request.accept_sender(options, reply_link());
    }
    void report() override { bench::report(digest_, seconds_); }

private:
    std::shared_ptr<ToReceive> requests() {
        auto handler = std::make_shared<ToReceive>();
        if (!arguments.listen) handler->open = [](Receiver&) { say("ready"); };
        handler->message = [this](Delivery& delivery) { answer(delivery); };
        return handler;
    }
    /// The requester takes its reply node with it, which ends our link to it.
    std::shared_ptr<ToSend> reply_link() {
        auto handler = std::make_shared<ToSend>();
        handler->closed = [this] { finish(); };
        return handler;
    }
    void answer(Delivery& delivery) {
        if (digest_.count() == 0) begin_ = Clock::now();
        const auto& request = delivery.message();
        const Body body(request);
        digest_.add(body.start.data(), body.size);
        codec::Message reply;
        reply.body = codec::Message::Data{request.body_data().value().contiguous()};
        auto& properties = reply.ensure_properties();
        properties.to = std::string(request.reply_to().value());
        properties.correlation_id = codec::to_owned(request.message_id().value());
        auto& sender = replies_[*properties.to];
        if (!sender) sender = connection.open_sender(*properties.to, {}, reply_link());
        sender.send(reply);
        delivery.accept();
        if (digest_.count() == arguments.count) seconds_ = seconds_since(begin_);
    }

    std::map<std::string, Sender> replies_;
    Digest digest_;
    Clock::time_point begin_;
    double seconds_ = 0;
};

/// Opens one connection after the other, and says how many had a session to take up again.
void shake_hands(const Arguments& arguments) {
    const ConnectionOptions options = connection_options(arguments);
    Container container;
    std::uint64_t resumed = 0;
    struct Handler final : ConnectionHandler {
        void on_open(Connection& connection) override {
            resumed = connection.identity().tls && connection.identity().tls->resumed;
            connection.close();
        }
        void on_close(Connection&, const std::optional<Failure>& why) override { closed.set_value(why); }
        bool resumed = false;
        std::promise<std::optional<Failure>> closed;
    };
    const auto begin = Clock::now();
    const double cpu = cpu_seconds();
    for (std::uint64_t i = 0; i < arguments.count; ++i) {
        const auto handler = std::make_shared<Handler>();
        auto closed = handler->closed.get_future();
        container.connect("amqps://" + arguments.at, options, handler);
        if (const auto why = closed.get()) throw std::runtime_error(why->message());
        resumed += handler->resumed ? 1 : 0;
    }
    const double seconds = seconds_since(begin);
    const auto count = static_cast<double>(arguments.count);
    std::cout << count / seconds << " connections per second, " << 1e6 * (cpu_seconds() - cpu) / count
              << " us of processor time each, " << resumed << " of " << arguments.count << " resumed" << std::endl;
}

std::shared_ptr<Program> make(const Arguments& arguments) {
    if (arguments.mode == "send") return std::make_shared<Send>(arguments);
    if (arguments.mode == "receive") return std::make_shared<Receive>(arguments);
    if (arguments.mode == "request") return std::make_shared<Request>(arguments);
    if (arguments.mode == "respond") return std::make_shared<Respond>(arguments);
    throw std::runtime_error(usage);
}

}  // namespace

int main(int argc, char** argv) {
    try {
        const Arguments arguments(argc, argv);
        if (arguments.mode == "handshakes") {
            shake_hands(arguments);
            return 0;
        }
        const auto program = make(arguments);
        program->run();
        program->report();
    } catch (const std::exception& error) {
        std::cerr << error.what() << std::endl;
        return 1;
    }
}
