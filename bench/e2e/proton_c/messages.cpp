// The sibling of ours/messages.cpp on Proton C.

#include "program.hpp"

namespace bench::proton_c {
namespace {

class Send final : public Program {
public:
    explicit Send(const Arguments& given) : Program(given), outgoing_(arguments) {}
    void report() override { outgoing_.report(); }

private:
    void on_open(pn_connection_t* connection) override {
        connection_ = connection;
        link_ = open_sender(open_session(connection), arguments.address);
    }
    void on_link_open(pn_link_t*) override {}
    void on_credit(pn_link_t*) override {
        outgoing_.start([this] { pn_connection_wake(connection_); });
        send();
    }
    void on_wake(pn_connection_t*) override { send(); }
    void on_delivery(pn_delivery_t* delivery) override {
        if (pn_delivery_remote_state(delivery) != PN_ACCEPTED) return;
        pn_delivery_settle(delivery);
        if (outgoing_.add_outcome()) pn_connection_close(connection_);
    }
    void on_transport_close() override {
        if (arguments.settled) outgoing_.stop();
        Program::on_transport_close();
    }
    void send() {
        while (pn_link_credit(link_) > 0 && outgoing_.may_send()) {
            const std::string octets = outgoing_.next();
            letter_.clear(pn_bytes(octets.size(), octets.data()));
            letter_.send(link_, ++number_, arguments.settled);
        }
        if (arguments.settled && outgoing_.sent_all()) pn_connection_close(connection_);
    }

    Outgoing outgoing_;
    Letter letter_;
    pn_connection_t* connection_ = nullptr;
    pn_link_t* link_ = nullptr;
    std::uint64_t number_ = 0;
};

class Receive final : public Program {
public:
    explicit Receive(const Arguments& given) : Program(given), incoming_(arguments) {}
    void report() override { incoming_.report(); }

private:
    void on_open(pn_connection_t* connection) override {
        if (arguments.listen) return;
        pn_session_t* const session = open_session(connection);
        for (std::uint32_t i = 0; i < arguments.links; ++i) open_receiver(session, arguments.address);
    }
    void on_link_open(pn_link_t* link) override {
        if (arguments.listen) {
            pn_terminus_copy(pn_link_target(link), pn_link_remote_target(link));
            pn_link_open(link);
            grant(link);
        } else if (++opened_ == arguments.links) {
            say("ready");
        }
    }
    void on_delivery(pn_delivery_t* delivery) override {
        if (!pn_delivery_readable(delivery) || !letter_.receive(delivery)) return;
        pn_connection_t* const connection = pn_session_connection(pn_link_session(pn_delivery_link(delivery)));
        const pn_bytes_t octets = letter_.body();
        accept(delivery);
        if (incoming_.add(Head(octets).start, octets.size) && !arguments.listen) pn_connection_close(connection);
    }

    Incoming incoming_;
    Letter letter_;
    std::uint32_t opened_ = 0;
};

}  // namespace

std::unique_ptr<Program> make_messages(const Arguments& arguments) {
    if (arguments.mode == "send") return std::make_unique<Send>(arguments);
    if (arguments.mode == "receive") return std::make_unique<Receive>(arguments);
    return nullptr;
}

}  // namespace bench::proton_c
