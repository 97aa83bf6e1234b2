// The sibling of ours.cpp on Proton C++.

#include <iostream>
#include <map>
#include <memory>

#include <proton/binary.hpp>
#include <proton/connection.hpp>
#include <proton/connection_options.hpp>
#include <proton/container.hpp>
#include <proton/delivery.hpp>
#include <proton/error_condition.hpp>
#include <proton/listen_handler.hpp>
#include <proton/listener.hpp>
#include <proton/message.hpp>
#include <proton/message_id.hpp>
#include <proton/messaging_handler.hpp>
#include <proton/receiver.hpp>
#include <proton/receiver_options.hpp>
#include <proton/sender.hpp>
#include <proton/sender_options.hpp>
#include <proton/source.hpp>
#include <proton/source_options.hpp>
#include <proton/ssl.hpp>
#include <proton/target.hpp>
#include <proton/target_options.hpp>
#include <proton/tracker.hpp>
#include <proton/transport.hpp>
#include <proton/work_queue.hpp>

#include "common.hpp"

namespace {

using namespace bench;
using proton::message;

class Program : public proton::messaging_handler {
public:
    explicit Program(const Arguments& given) : arguments(given), announce_(*this) {}

    void on_container_start(proton::container& container) override {
        if (arguments.listen) {
            listener_ = container.listen((arguments.tls_cert.empty() ? "" : "amqps://") + arguments.at, announce_);
        } else if (arguments.tls_ca.empty()) {
            container.connect(arguments.at);
        } else {
            proton::connection_options options;
            options.ssl_client_options(proton::ssl_client_options(arguments.tls_ca, proton::ssl::VERIFY_PEER_NAME));
            container.connect("amqps://" + arguments.at, options);
        }
    }
    void on_connection_open(proton::connection& connection) override {
        if (arguments.listen)
            connection.open();
        else
            start(connection);
    }
    void on_connection_close(proton::connection&) override {
        if (arguments.listen) listener_.stop();
    }
    void on_error(const proton::error_condition& error) override { throw std::runtime_error(error.what()); }

    virtual void start(proton::connection&) {}
    virtual void report() = 0;

protected:
    proton::receiver_options reading() const { return proton::receiver_options().credit_window(credit_window); }
    const Arguments arguments;

private:
    struct Announce : proton::listen_handler {
        explicit Announce(Program& to) : program(to) {}
        proton::connection_options on_accept(proton::listener&) override {
            auto options = proton::connection_options().handler(program);
            const Arguments& given = program.arguments;
            if (!given.tls_cert.empty())
                options.ssl_server_options(proton::ssl_certificate(given.tls_cert, given.tls_key));
            return options;
        }
        void on_open(proton::listener& listener) override {
            say("listening on " + program.arguments.host() + ":" + std::to_string(listener.port()));
        }
        Program& program;
    };
    Announce announce_;
    proton::listener listener_;
};

class Send final : public Program {
public:
    using Program::Program;

    void start(proton::connection& connection) override { connection.open_sender(arguments.address); }
    void on_sendable(proton::sender& sender) override {
        if (sent_ == 0) begin_ = Clock::now();
        while (sender.credit() > 0 && sent_ < arguments.count) {
            const std::string octets = body(sent_, arguments.size);
            message m;
            m.inferred(true);
            m.body(proton::binary(octets));
            digest_.add(octets.data(), octets.size());
            sender.send(m);
            ++sent_;
        }
    }
    void on_tracker_accept(proton::tracker& tracker) override {
        if (++accepted_ == arguments.count) {
            seconds_ = seconds_since(begin_);
            tracker.connection().close();
        }
    }
    void report() override { bench::report(digest_, accepted_ == arguments.count ? seconds_ : -1); }

private:
    Digest digest_;
    std::uint64_t sent_ = 0;
    std::uint64_t accepted_ = 0;
    Clock::time_point begin_;
    double seconds_ = 0;
};

class Receive final : public Program {
public:
    using Program::Program;

    void start(proton::connection& connection) override { connection.open_receiver(arguments.address, reading()); }
    void on_receiver_open(proton::receiver& receiver) override {
        if (arguments.listen)
            receiver.open(reading());
        else
            say("ready");
    }
    void on_message(proton::delivery& delivery, message& m) override {
        if (digest_.count() == 0) begin_ = Clock::now();
        const auto octets = proton::get<proton::binary>(m.body());
        digest_.add(octets.data(), octets.size());
        if (digest_.count() == arguments.count) {
            seconds_ = seconds_since(begin_);
            // The peer closes when it has its outcomes; from a broker nobody else does.
            if (!arguments.listen) delivery.receiver().connection().close();
        }
    }
    void report() override { bench::report(digest_, seconds_); }

private:
    Digest digest_;
    Clock::time_point begin_;
    double seconds_ = 0;
};

class Request final : public Program {
public:
    explicit Request(const Arguments& given) : Program(given), calls_(given.count, given.window) {}

    void start(proton::connection& connection) override {
        sender_ = connection.open_sender(arguments.address);
        connection.open_receiver("", reading().source(proton::source_options().dynamic(true)));
    }
    void on_receiver_open(proton::receiver& receiver) override {
        reply_to_ = receiver.source().address();
        send();
    }
    void on_sendable(proton::sender&) override { send(); }
    void on_message(proton::delivery& delivery, message& m) override {
        const auto octets = proton::get<proton::binary>(m.body());
        if (!calls_.finish(proton::get<std::uint64_t>(m.correlation_id()), octets.data(), octets.size()))
            throw std::runtime_error("a reply that nobody asked for");
        if (calls_.done())
            delivery.connection().close();
        else
            send();
    }
    void report() override { calls_.report(); }

private:
    void send() {
        while (!reply_to_.empty() && sender_.credit() > 0 && calls_.may_start()) {
            const auto id = calls_.start();
            message m;
            m.id(proton::message_id(id));
            m.reply_to(reply_to_);
            m.inferred(true);
            m.body(proton::binary(body(id, arguments.size)));
            sender_.send(m);
        }
    }

    Calls calls_;
    proton::sender sender_;
    std::string reply_to_;
};

class Respond final : public Program {
public:
    using Program::Program;

    void start(proton::connection& connection) override { connection.open_receiver(arguments.address, reading()); }
    void on_receiver_open(proton::receiver& receiver) override {
        if (arguments.listen)
            receiver.open(reading());
        else
            say("ready");
    }
    void on_sender_open(proton::sender& sender) override {
        if (!sender.source().dynamic()) return;
        const std::string address = "reply-" + std::to_string(++last_);
        sender.open(proton::sender_options().source(proton::source_options().address(address)));
        replies_[address] = sender;
    }
    void on_message(proton::delivery& delivery, message& request) override {
        if (digest_.count() == 0) begin_ = Clock::now();
        const auto octets = proton::get<proton::binary>(request.body());
        digest_.add(octets.data(), octets.size());
        auto& sender = replies_[request.reply_to()];
        if (!sender) sender = delivery.connection().open_sender(request.reply_to());
        message reply;
        reply.to(request.reply_to());
        reply.correlation_id(request.id());
        reply.inferred(true);
        reply.body(octets);
        sender.send(reply);
        if (digest_.count() == arguments.count) seconds_ = seconds_since(begin_);
    }
    // The requester takes its reply node with it, which ends our link to it.
    void on_sender_error(proton::sender& sender) override { sender.connection().close(); }
    void report() override { bench::report(digest_, seconds_); }

private:
    std::map<std::string, proton::sender> replies_;
    int last_ = 0;
    Digest digest_;
    Clock::time_point begin_;
    double seconds_ = 0;
};

std::unique_ptr<Program> make(const Arguments& arguments) {
    if (arguments.mode == "send") return std::make_unique<Send>(arguments);
    if (arguments.mode == "receive") return std::make_unique<Receive>(arguments);
    if (arguments.mode == "request") return std::make_unique<Request>(arguments);
    if (arguments.mode == "respond") return std::make_unique<Respond>(arguments);
    throw std::runtime_error(usage);
}

}  // namespace

int main(int argc, char** argv) {
    try {
        const auto program = make(Arguments(argc, argv));
        proton::container(*program).run();
        program->report();
    } catch (const std::exception& error) {
        std::cerr << error.what() << std::endl;
        return 1;
    }
}
