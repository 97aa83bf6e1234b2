// The sibling of through_ours.cpp on Proton C++.

#include <iostream>
#include <map>

#include <proton/connection.hpp>
#include <proton/connection_options.hpp>
#include <proton/container.hpp>
#include <proton/delivery.hpp>
#include <proton/error_condition.hpp>
#include <proton/message.hpp>
#include <proton/message_id.hpp>
#include <proton/messaging_handler.hpp>
#include <proton/receiver.hpp>
#include <proton/receiver_options.hpp>
#include <proton/reconnect_options.hpp>
#include <proton/sender.hpp>
#include <proton/source.hpp>
#include <proton/source_options.hpp>
#include <proton/tracker.hpp>

#include "through.hpp"

namespace {

using namespace through;
using proton::message;

std::uint64_t number_in(const proton::binary& octets) {
    if (octets.size() != size) throw std::runtime_error("another body");
    std::uint64_t i = 0;
    std::memcpy(&i, octets.data(), sizeof i);
    return i;
}

class Program final : public proton::messaging_handler {
public:
    explicit Program(const Arguments& given) : count(given.count), arguments_(given) {}

    void on_container_start(proton::container& container) override {
        container.connect(arguments_.url,
                          proton::connection_options().reconnect(proton::reconnect_options().max_attempts(1)));
    }
    void on_connection_open(proton::connection& connection) override {
        connection_ = connection;
        if (arguments_.mode == "send" || arguments_.mode == "request")
            sender_ = connection.open_sender(arguments_.address);
        const auto reading = proton::receiver_options().credit_window(credit_window);
        if (arguments_.mode == "request") {
            if (arguments_.reply_to.empty())
                connection.open_receiver(
                    "", proton::receiver_options(reading).source(proton::source_options().dynamic(true)));
            else
                connection.open_receiver(arguments_.reply_to, reading);
        } else if (arguments_.mode != "send") {
            connection.open_receiver(arguments_.address, reading);
        }
    }
    void on_receiver_open(proton::receiver& receiver) override {
        if (arguments_.mode != "request") return Count::ready();
        reply_to_ = receiver.source().address();
        ask();
    }
    void on_sendable(proton::sender& sender) override {
        if (arguments_.mode == "request") return ask();
        if (arguments_.mode != "send") return;
        for (; sender.credit() > 0 && sent_ < arguments_.count; ++sent_) {
            message m;
            m.inferred(true);
            m.body(proton::binary(body(sent_)));
            sender.send(m);
        }
    }
    void on_tracker_accept(proton::tracker&) override {
        if (arguments_.mode == "send" && count.add(accepted_++)) connection_.close();
        if (arguments_.mode == "respond" && last_ && ++accepted_ == arguments_.count) connection_.close();
        if (arguments_.mode == "respond" && !last_) ++accepted_;
    }
    void on_message(proton::delivery&, message& got) override {
        const auto octets = proton::get<proton::binary>(got.body());
        last_ = count.add(number_in(octets));
        if (arguments_.mode == "respond") return answer(got, octets);
        if (arguments_.mode == "request") {
            ++answered_;
            if (!last_) return ask();
        }
        if (last_) connection_.close();
    }
    // The requester takes its reply node with it, which ends our link to it.
    void on_sender_error(proton::sender& sender) override { sender.connection().close(); }
    void on_error(const proton::error_condition& error) override {
        std::cerr << error.what() << std::endl;
        connection_.close();
    }

    Count count;

private:
    void ask() {
        while (!reply_to_.empty() && sender_.credit() > 0 && sent_ < arguments_.count &&
               sent_ - answered_ < arguments_.window) {
            message m;
            m.id(proton::message_id(sent_));
            m.reply_to(reply_to_);
            m.inferred(true);
            m.body(proton::binary(body(sent_++)));
            sender_.send(m);
        }
    }
    void answer(message& request, const proton::binary& octets) {
        auto& sender = replies_[request.reply_to()];
        if (!sender) sender = connection_.open_sender(request.reply_to());
        message reply;
        reply.to(request.reply_to());
        reply.correlation_id(request.id());
        reply.inferred(true);
        reply.body(octets);
        sender.send(reply);
    }

    const Arguments arguments_;
    proton::connection connection_;
    proton::sender sender_;
    std::map<std::string, proton::sender> replies_;
    std::string reply_to_;
    std::uint64_t sent_ = 0, answered_ = 0, accepted_ = 0;
    bool last_ = false;
};

}  // namespace

int main(int argc, char** argv) {
    try {
        Program program(Arguments(argc, argv));
        proton::container(program).run();
        program.count.report();
    } catch (const std::exception& error) {
        std::cerr << "through_proton: " << error.what() << std::endl;
        return 1;
    }
}
