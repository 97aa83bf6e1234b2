// The sibling of ours/messages.cpp on Proton C++.

#include <proton/binary.hpp>
#include <proton/delivery.hpp>
#include <proton/delivery_mode.hpp>
#include <proton/message.hpp>
#include <proton/receiver.hpp>
#include <proton/sender.hpp>
#include <proton/sender_options.hpp>
#include <proton/tracker.hpp>
#include <proton/work_queue.hpp>

#include "program.hpp"

namespace bench::proton_cpp {
namespace {

using proton::message;

class Send final : public Program {
public:
    explicit Send(const Arguments& given) : Program(given), outgoing_(arguments) {}

    void start(proton::connection& connection) override {
        proton::sender_options options;
        if (arguments.settled) options.delivery_mode(proton::delivery_mode::AT_MOST_ONCE);
        connection.open_sender(arguments.address, options);
    }
    void on_sendable(proton::sender& sender) override {
        sender_ = sender;
        // Only the queue may be used on another thread, not so much as a copy of the sender.
        outgoing_.start([this, queue = &sender.work_queue()] { queue->add([this] { send(); }); });
        send();
    }
    void on_tracker_accept(proton::tracker& tracker) override {
        if (outgoing_.add_outcome()) tracker.connection().close();
    }
    void on_connection_close(proton::connection& connection) override {
        if (arguments.settled) outgoing_.stop();
        Program::on_connection_close(connection);
    }
    void report() override { outgoing_.report(); }

private:
    void send() {
        while (sender_.credit() > 0 && outgoing_.may_send()) {
            message m;
            m.inferred(true);
            m.body(proton::binary(outgoing_.next()));
            sender_.send(m);
        }
        if (arguments.settled && outgoing_.sent_all()) sender_.connection().close();
    }

    Outgoing outgoing_;
    proton::sender sender_;
};

class Receive final : public Program {
public:
    explicit Receive(const Arguments& given) : Program(given), incoming_(arguments) {}

    void start(proton::connection& connection) override {
        for (std::uint32_t i = 0; i < arguments.links; ++i) connection.open_receiver(arguments.address, reading());
    }
    void on_receiver_open(proton::receiver& receiver) override {
        if (arguments.listen)
            receiver.open(reading());
        else if (++opened_ == arguments.links)
            say("ready");
    }
    void on_message(proton::delivery& delivery, message& m) override {
        const auto octets = proton::get<proton::binary>(m.body());
        // The peer closes when it has its outcomes; from a broker nobody else does.
        if (incoming_.add(Head(octets).start, octets.size()) && !arguments.listen)
            delivery.receiver().connection().close();
    }
    void report() override { incoming_.report(); }

private:
    Incoming incoming_;
    std::uint32_t opened_ = 0;
};

}  // namespace

std::unique_ptr<Program> make_messages(const Arguments& arguments) {
    if (arguments.mode == "send") return std::make_unique<Send>(arguments);
    if (arguments.mode == "receive") return std::make_unique<Receive>(arguments);
    return nullptr;
}

}  // namespace bench::proton_cpp
