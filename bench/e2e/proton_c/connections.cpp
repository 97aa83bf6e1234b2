// The sibling of ours/connections.cpp on Proton C.

#include <vector>

#include "program.hpp"

namespace bench::proton_c {
namespace {

constexpr std::size_t opening_max = 32;  // at once: fewer than a listener's backlog

class Connect final : public Program {
public:
    explicit Connect(const Arguments& given) : Program(given), rounds_(arguments) {}
    void report() override { rounds_.report(); }

private:
    void on_open(pn_connection_t* connection) override { pn_connection_close(connection); }
    void on_link_open(pn_link_t*) override {}
    void on_transport_close() override {
        if (!rounds_.add()) connect();
    }

    Rounds rounds_;
};

class Accept final : public Program {
public:
    explicit Accept(const Arguments& given) : Program(given), rounds_(arguments) {}
    void report() override { rounds_.report(); }

private:
    void on_link_open(pn_link_t*) override {}
    void on_transport_close() override {
        if (rounds_.add()) stop_listening();
    }

    Rounds rounds_;
};

class Open final : public Program {
public:
    explicit Open(const Arguments& given) : Program(given), idle_(arguments) {}
    void report() override { idle_.report(); }

private:
    void begin() override {
        for (std::size_t i = 0; i < opening_max; ++i) next();
    }
    void on_open(pn_connection_t* connection) override {
        connections_.push_back(connection);
        next();
        if (!idle_.add_connection()) return;
        all_open_ = true;
        // Each connection may only be touched by its own events.
        for (pn_connection_t* const each : connections_) pn_connection_wake(each);
    }
    void on_wake(pn_connection_t* connection) override {
        if (!all_open_) return;
        pn_session_t* const session = open_session(connection);
        for (std::uint32_t i = 0; i < arguments.links; ++i) open_sender(session, "idle");
    }
    void on_link_open(pn_link_t*) override {
        if (idle_.add_link()) leave();
    }
    void next() {
        if (started_ == arguments.count) return;
        ++started_;
        connect();
    }

    Idle idle_;
    std::uint64_t started_ = 0;
    bool all_open_ = false;
    std::vector<pn_connection_t*> connections_;
};

class Hold final : public Program {
public:
    explicit Hold(const Arguments& given) : Program(given), idle_(arguments), left_(arguments.count) {}
    void report() override { idle_.report(); }

private:
    void on_open(pn_connection_t*) override { idle_.add_connection(); }
    void on_link_open(pn_link_t* link) override {
        pn_terminus_copy(pn_link_target(link), pn_link_remote_target(link));
        pn_link_open(link);
        grant(link);
        idle_.add_link();
    }
    void on_transport_close() override {
        if (--left_ == 0) stop_listening();
    }
    bool failures_matter() const override { return false; }  // connections are cut at the end

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

}  // namespace bench::proton_c
