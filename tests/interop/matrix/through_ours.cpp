// The sibling of through_proton.cpp on our event layer.

#include <functional>
#include <future>
#include <iostream>
#include <map>
#include <memory>

#include <aprotic/codec/message.hpp>
#include <aprotic/engine/container.hpp>

#include "through.hpp"

namespace {

using namespace aprotic::engine;
using namespace through;
namespace codec = aprotic::codec;

struct Sending final : SenderHandler {
    explicit Sending(std::function<void()> given) : credit(std::move(given)) {}
    void on_credit(Sender&) override { credit(); }
    std::function<void()> credit;
};

struct Receiving final : ReceiverHandler {
    void on_open(Receiver& receiver) override { open(receiver); }
    void on_message(Receiver&, Delivery& delivery) override { message(delivery); }
    void on_close(Receiver&, const std::optional<Failure>& why) override {
        if (why && why->code != Errc::closed) std::cerr << why->message() << std::endl;
    }
    std::function<void(Receiver&)> open = [](Receiver&) { Count::ready(); };
    std::function<void(Delivery&)> message;
};

codec::Message message(std::string octets) {
    return codec::Message::data(codec::Bytes::from_string(std::move(octets)));
}

std::uint64_t number_in(const codec::MessageView& view) {
    const auto octets = view.body_data();
    if (!octets || octets->size() != size) throw std::runtime_error("another body");
    std::array<std::byte, 8> start{};
    octets->copy_to(0, start);
    std::uint64_t i = 0;
    std::memcpy(&i, start.data(), sizeof i);
    return i;
}

/// Everything runs on the container's thread; main waits for the end.
class Program final : public ConnectionHandler, public std::enable_shared_from_this<Program> {
public:
    explicit Program(const Arguments& given) : arguments_(given), count_(given.count) {}

    void run() {
        auto over = over_.get_future();
        Container container;
        ConnectionOptions options;
        options.sasl.enabled = true;
        container.connect(arguments_.url, options, shared_from_this());
        over.get();
        count_.report();
    }
    void on_open(Connection& opened) override {
        connection_ = opened;
        if (arguments_.mode == "send") return start_sending();
        if (arguments_.mode == "request") return start_requests();
        auto handler = std::make_shared<Receiving>();
        const bool answers = arguments_.mode == "respond";
        handler->message = [this, answers](Delivery& delivery) {
            const bool last = count_.add(number_in(delivery.message()));
            if (answers) answer(delivery.message(), last);
            delivery.accept();
            if (last && !answers) connection_.close();
        };
        receive(arguments_.address, handler, false);
    }
    void on_close(Connection&, const std::optional<Failure>& why) override {
        if (why && (why->code != Errc::closed_by_peer || arguments_.mode != "respond"))
            std::cerr << why->message() << std::endl;
        over_.set_value();
    }

private:
    void receive(const std::string& address, std::shared_ptr<Receiving> handler, bool dynamic) {
        ReceiverOptions options;
        options.credit = credit_window;
        options.dynamic = dynamic;
        connection_.open_receiver(address, options, std::move(handler));
    }
    void start_sending() {
        sender_ = connection_.open_sender(
            arguments_.address, {}, std::make_shared<Sending>([this] {
                for (; sender_.credit() > 0 && sent_ < arguments_.count; ++sent_)
                    sender_.send(message(body(sent_))).on_done([this, i = sent_](const Outcome& outcome) {
                        if (outcome.accepted() && count_.add(i)) connection_.close();
                    });
            }));
    }
    void start_requests() {
        sender_ = connection_.open_sender(arguments_.address, {}, std::make_shared<Sending>([this] { ask(); }));
        auto handler = std::make_shared<Receiving>();
        handler->open = [this](Receiver& receiver) {
            reply_to_ = receiver.address();
            ask();
        };
        handler->message = [this](Delivery& delivery) {
            const bool last = count_.add(number_in(delivery.message()));
            ++answered_;
            delivery.accept();
            if (last)
                connection_.close();
            else
                ask();
        };
        receive(arguments_.reply_to, handler, arguments_.reply_to.empty());
    }
    void ask() {
        while (!reply_to_.empty() && sender_.credit() > 0 && sent_ < arguments_.count &&
               sent_ - answered_ < arguments_.window) {
            codec::Message request = message(body(sent_));
            request.ensure_properties().message_id = sent_++;
            request.properties->reply_to = reply_to_;
            sender_.send(request);
        }
    }
    void answer(const codec::MessageView& request, bool last) {
        codec::Message reply;
        reply.body = codec::Message::Data{request.body_data().value().contiguous()};
        auto& properties = reply.ensure_properties();
        properties.to = std::string(request.reply_to().value());
        properties.correlation_id = codec::to_owned(request.message_id().value());
        auto& sender = replies_[*properties.to];
        if (!sender) sender = connection_.open_sender(*properties.to);
        const Tracker tracker = sender.send(reply);
        if (last) tracker.on_done([this](const Outcome&) { connection_.close(); });
    }

    const Arguments arguments_;
    Count count_;
    Connection connection_;
    Sender sender_;
    std::map<std::string, Sender> replies_;
    std::string reply_to_;
    std::uint64_t sent_ = 0, answered_ = 0;
    std::promise<void> over_;
};

}  // namespace

int main(int argc, char** argv) {
    try {
        std::make_shared<Program>(Arguments(argc, argv))->run();
    } catch (const std::exception& error) {
        std::cerr << "through_ours: " << error.what() << std::endl;
        return 1;
    }
}
