// The sibling of ours/calls.cpp on Proton C++.

#include <map>

#include <proton/binary.hpp>
#include <proton/delivery.hpp>
#include <proton/message.hpp>
#include <proton/message_id.hpp>
#include <proton/receiver.hpp>
#include <proton/sender.hpp>
#include <proton/sender_options.hpp>
#include <proton/source.hpp>
#include <proton/source_options.hpp>
#include <proton/tracker.hpp>
#include <proton/work_queue.hpp>

#include "program.hpp"

namespace bench::proton_cpp {
namespace {

using proton::message;

class Request final : public Program {
public:
    explicit Request(const Arguments& given) : Program(given), calls_(arguments) {}

    void start(proton::connection& connection) override {
        sender_ = connection.open_sender(arguments.address);
        if (arguments.reply_to.empty())
            connection.open_receiver("", reading().source(proton::source_options().dynamic(true)));
        else
            connection.open_receiver(arguments.reply_to, reading());
    }
    void on_receiver_open(proton::receiver& receiver) override {
        reply_to_ = receiver.source().address();
        calls_.start([this, queue = &sender_.work_queue()] { queue->add([this] { send(); }); });
        send();
    }
    void on_sendable(proton::sender&) override { send(); }
    void on_message(proton::delivery& delivery, message& m) override {
        const auto octets = proton::get<proton::binary>(m.body());
        if (!calls_.finish(proton::get<std::uint64_t>(m.correlation_id()), Head(octets).start, octets.size()))
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
            const auto id = calls_.start_next();
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
    explicit Respond(const Arguments& given) : Program(given), meter_(arguments.count, arguments.warm_up) {}

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
        const auto octets = proton::get<proton::binary>(request.body());
        auto& sender = replies_[request.reply_to()];
        if (!sender) sender = delivery.connection().open_sender(request.reply_to());
        message reply;
        reply.to(request.reply_to());
        reply.correlation_id(request.id());
        reply.inferred(true);
        reply.body(octets);
        sender.send(reply);
        meter_.add_whole(Head(octets).start, octets.size());
    }
    // Through a broker nobody else closes, and what has no outcome may not have left.
    void on_tracker_settle(proton::tracker& tracker) override {
        if (++settled_ == arguments.count && !arguments.listen) tracker.connection().close();
    }
    // The requester takes its reply node with it, which ends our link to it.
    void on_sender_error(proton::sender& sender) override { sender.connection().close(); }
    void on_sender_close(proton::sender& sender) override {
        if (meter_.counted_all()) sender.connection().close();
    }
    void report() override { meter_.report(); }

private:
    std::map<std::string, proton::sender> replies_;
    int last_ = 0;
    std::uint64_t settled_ = 0;
    Meter meter_;
};

}  // namespace

std::unique_ptr<Program> make_calls(const Arguments& arguments) {
    if (arguments.mode == "request") return std::make_unique<Request>(arguments);
    if (arguments.mode == "respond") return std::make_unique<Respond>(arguments);
    return nullptr;
}

}  // namespace bench::proton_cpp
