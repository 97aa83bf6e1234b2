#pragma once

// What the programs on Proton C++ share. They are what its documentation and examples recommend: one messaging_handler,
// on_sendable for sending, automatic acceptance and credit for receiving, work queues for other threads.

#include <iostream>
#include <memory>

#include <proton/binary.hpp>
#include <proton/connection.hpp>
#include <proton/connection_options.hpp>
#include <proton/container.hpp>
#include <proton/error_condition.hpp>
#include <proton/listen_handler.hpp>
#include <proton/listener.hpp>
#include <proton/messaging_handler.hpp>
#include <proton/receiver_options.hpp>
#include <proton/ssl.hpp>

#include "e2e/common.hpp"

namespace bench::proton_cpp {

class Program : public proton::messaging_handler {
public:
    explicit Program(const Arguments& given) : arguments(given), announce_(*this) {
        server_.handler(*this);
        if (!given.tls_cert.empty())
            server_.ssl_server_options(
                proton::ssl_server_options(proton::ssl_certificate(given.tls_cert, given.tls_key)));
        if (!given.tls_ca.empty())
            client_.ssl_client_options(proton::ssl_client_options(given.tls_ca, proton::ssl::VERIFY_PEER_NAME));
    }

    void on_container_start(proton::container& container) override {
        if (arguments.listen)
            listener_ = container.listen((arguments.tls_cert.empty() ? "" : "amqps://") + arguments.at, announce_);
        else
            connect(container);
    }
    void on_connection_open(proton::connection& connection) override {
        if (arguments.listen)
            connection.open();
        else
            start(connection);
    }
    void on_connection_close(proton::connection&) override {
        if (arguments.listen) stop_listening();
    }
    void on_error(const proton::error_condition& error) override { throw std::runtime_error(error.what()); }

    virtual void start(proton::connection&) {}
    virtual void report() = 0;

protected:
    proton::receiver_options reading() const {
        return proton::receiver_options().credit_window(static_cast<int>(arguments.credit));
    }
    void connect(proton::container& container) const {
        if (arguments.tls_ca.empty())
            container.connect(arguments.at);
        else
            container.connect("amqps://" + arguments.at, client_);
    }
    void stop_listening() { listener_.stop(); }

    const Arguments arguments;

private:
    struct Announce : proton::listen_handler {
        explicit Announce(Program& to) : program(to) {}
        proton::connection_options on_accept(proton::listener&) override { return program.server_; }
        void on_open(proton::listener& listener) override {
            say("listening on " + program.arguments.host() + ":" + std::to_string(listener.port()));
        }
        Program& program;
    };
    Announce announce_;
    proton::listener listener_;
    // Made once: files are read for them.
    proton::connection_options server_;
    proton::connection_options client_;
};

/// The first octets of a body, which may have fewer than head_size.
struct Head {
    explicit Head(const proton::binary& octets) {
        std::copy_n(octets.begin(), std::min(octets.size(), head_size), start);
    }
    std::uint8_t start[head_size] = {};
};

/// Null: another file's mode.
std::unique_ptr<Program> make_messages(const Arguments& arguments);
std::unique_ptr<Program> make_calls(const Arguments& arguments);
std::unique_ptr<Program> make_connections(const Arguments& arguments);

}  // namespace bench::proton_cpp
