// A client of Qpid Proton's C++ binding for `aprotic conform` to judge: send or receive, URL, address, count, octets
// per body.
#include <cstddef>
#include <cstdlib>
#include <iostream>
#include <string>

#include <proton/connection.hpp>
#include <proton/connection_options.hpp>
#include <proton/container.hpp>
#include <proton/delivery.hpp>
#include <proton/error_condition.hpp>
#include <proton/message.hpp>
#include <proton/messaging_handler.hpp>
#include <proton/receiver.hpp>
#include <proton/receiver_options.hpp>
#include <proton/sender.hpp>
#include <proton/target.hpp>
#include <proton/tracker.hpp>
#include <proton/transport.hpp>
#include <proton/url.hpp>

namespace {

class Client : public proton::messaging_handler {
public:
    bool done() const { return settled_ == count_; }

    Client(int argc, char** argv)
        : sends_(argc > 1 && std::string(argv[1]) == "send"),
          url_(argc > 2 ? argv[2] : ""),
          address_(argc > 3 ? argv[3] : ""),
          count_(argc > 4 ? std::strtoul(argv[4], nullptr, 10) : 1),
          size_(argc > 5 ? std::strtoul(argv[5], nullptr, 10) : 16) {}

    void on_container_start(proton::container& container) override {
        const proton::url url(url_);
        proton::connection_options options;
        if (!url.user().empty()) options.user(url.user()).password(url.password()).sasl_allow_insecure_mechs(true);
        const std::string link = url_ + "/" + address_;
        if (sends_)
            container.open_sender(link, options);
        else
            container.open_receiver(link, options);
    }
    void on_sendable(proton::sender& sender) override {
        for (; sender.credit() > 0 && sent_ < count_; ++sent_) sender.send(proton::message(std::string(size_, 'x')));
        if (sent_ == count_ && sender.draining()) sender.return_credit();
    }
    void on_tracker_settle(proton::tracker& tracker) override {
        if (++settled_ == count_) tracker.connection().close();
    }
    void on_message(proton::delivery& delivery, proton::message&) override {
        if (++settled_ < count_) return;
        delivery.accept();
        delivery.connection().close();
    }
    void on_error(const proton::error_condition& condition) override { std::cerr << condition << "\n"; }

private:
    bool sends_;
    std::string url_;
    std::string address_;
    std::size_t count_;
    std::size_t size_;
    std::size_t sent_ = 0;
    std::size_t settled_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
    Client client(argc, argv);
    proton::container(client).run();
    return client.done() ? 0 : 1;
}
