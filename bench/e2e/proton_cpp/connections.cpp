// The sibling of ours/connections.cpp on Proton C++.

#include <vector>

#include <proton/receiver.hpp>
#include <proton/sender.hpp>
#include <proton/transport.hpp>
#include <proton/work_queue.hpp>

#include "program.hpp"

namespace bench::proton_cpp {
namespace {

constexpr std::size_t opening_max = 32;  // at once: fewer than a listener's backlog

class Connect final : public Program {
public:
    explicit Connect(const Arguments& given) : Program(given), rounds_(arguments) {}
    void start(proton::connection& connection) override { connection.close(); }
    void on_transport_close(proton::transport& transport) override {
        if (!rounds_.add()) connect(transport.connection().container());
    }
    void report() override { rounds_.report(); }

private:
    Rounds rounds_;
};

class Accept final : public Program {
public:
    explicit Accept(const Arguments& given) : Program(given), rounds_(arguments) {}
    void on_connection_close(proton::connection&) override {}
    void on_transport_close(proton::transport&) override {
        if (rounds_.add()) stop_listening();
    }
    void report() override { rounds_.report(); }

private:
    Rounds rounds_;
};

class Open final : public Program {
public:
    explicit Open(const Arguments& given) : Program(given), idle_(arguments) {}
    void on_container_start(proton::container& container) override {
        container_ = &container;
        for (std::size_t i = 0; i < opening_max; ++i) next();
    }
    void start(proton::connection& connection) override {
        connections_.push_back(connection);
        next();
        if (!idle_.add_connection()) return;
        for (auto& each : connections_)
            each.work_queue().add([this, each]() mutable {
                for (std::uint32_t i = 0; i < arguments.links; ++i) each.open_sender("idle");
            });
    }
    void on_sender_open(proton::sender&) override {
        if (idle_.add_link()) container_->stop();
    }
    void on_error(const proton::error_condition&) override {}  // of connections that are cut at the end
    void report() override { idle_.report(); }

private:
    void next() {
        if (started_ == arguments.count) return;
        ++started_;
        connect(*container_);
    }

    Idle idle_;
    proton::container* container_ = nullptr;
    std::uint64_t started_ = 0;
    std::vector<proton::connection> connections_;
};

class Hold final : public Program {
public:
    explicit Hold(const Arguments& given) : Program(given), idle_(arguments), left_(arguments.count) {}
    void on_connection_open(proton::connection& connection) override {
        connection.open();
        idle_.add_connection();
    }
    void on_connection_close(proton::connection&) override {}
    void on_receiver_open(proton::receiver& receiver) override {
        receiver.open(reading());
        idle_.add_link();
    }
    void on_transport_close(proton::transport&) override {
        if (--left_ == 0) stop_listening();
    }
    void on_error(const proton::error_condition&) override {}  // of connections that are cut at the end
    void report() override { idle_.report(); }

private:
    Idle idle_;
    std::uint64_t left_;
};

}  // namespace

std::unique_ptr<Program> make_connections(const Arguments& arguments) {
    if (arguments.mode == "connect") return std::make_unique<Connect>(arguments);
    if (arguments.mode == "accept") return std::make_unique<Accept>(arguments);
    if (arguments.mode == "idle") return std::make_unique<Open>(arguments);
    if (arguments.mode == "hold") return std::make_unique<Hold>(arguments);
    return nullptr;
}

}  // namespace bench::proton_cpp
