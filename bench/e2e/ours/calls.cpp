// Requests and their replies.

#include <map>

#include "program.hpp"

namespace bench::ours {
namespace {

class Request final : public Program {
public:
    explicit Request(const Arguments& given) : Program(given), calls_(arguments) {}

    void start() override {
        auto sending = std::make_shared<ToSend>();
        sending->credit = [this](Sender&) { send(); };
        sender_ = connection.open_sender(arguments.address, {}, sending);
        auto receiving = std::make_shared<ToReceive>();
        receiving->open = [this](Receiver& receiver) {
            reply_to_ = receiver.address();
            calls_.start([this] { post([this] { send(); }); });
            send();
        };
        receiving->message = [this](Delivery& delivery) { receive(delivery); };
        auto options = reading();
        options.dynamic = arguments.reply_to.empty();
        connection.open_receiver(arguments.reply_to, options, receiving);
    }
    void report() override { calls_.report(); }

private:
    void send() {
        while (!reply_to_.empty() && sender_.credit() > 0 && calls_.may_start()) {
            const auto id = calls_.start_next();
            auto request = message(body(id, arguments.size));
            request.ensure_properties().message_id = id;
            request.ensure_properties().reply_to = reply_to_;
            sender_.send(request);
        }
    }
    void receive(Delivery& delivery) {
        const auto id = delivery.message().correlation_id();
        const Body body(delivery.message(), arguments.size);
        if (!id || !calls_.finish(std::get<std::uint64_t>(*id), body.head.data(), body.size))
            throw std::runtime_error("a reply that nobody asked for");
        delivery.accept();
        if (calls_.done())
            finish();
        else
            send();
    }

    Calls calls_;
    Sender sender_;
    std::string reply_to_;
};

class Respond final : public Program {
public:
    explicit Respond(const Arguments& given) : Program(given), meter_(arguments.count, arguments.warm_up) {}

    void start() override { connection.open_receiver(arguments.address, reading(), requests()); }
    void on_receiver_requested(Connection&, LinkRequest request) override {
        request.accept_receiver(reading(), requests());
    }
    void on_sender_requested(Connection&, LinkRequest request) override {
        const std::string address = "reply-" + std::to_string(replies_.size());
        SenderOptions options;
        options.link.source = request.attach().source;
        options.link.source->address = address;
        replies_[address] = request.accept_sender(options, reply_link());
    }
    void report() override { meter_.report(); }

private:
    std::shared_ptr<ToReceive> requests() {
        auto handler = std::make_shared<ToReceive>();
        if (!arguments.listen) handler->open = [](Receiver&) { say("ready"); };
        handler->message = [this](Delivery& delivery) { answer(delivery); };
        return handler;
    }
    /// The requester takes its reply node with it, which ends our link to it.
    std::shared_ptr<ToSend> reply_link() {
        auto handler = std::make_shared<ToSend>();
        handler->closed = [this] { finish(); };
        return handler;
    }
    void answer(Delivery& delivery) {
        const auto& request = delivery.message();
        const Body body(request, arguments.size);
        codec::Message reply;
        reply.body = codec::Message::Data{request.body_data().value().contiguous()};
        auto& properties = reply.ensure_properties();
        properties.to = std::string(request.reply_to().value());
        properties.correlation_id = codec::to_owned(request.message_id().value());
        auto& sender = replies_[*properties.to];
        if (!sender) sender = connection.open_sender(*properties.to, {}, reply_link());
        const Tracker tracker = sender.send(reply);
        delivery.accept();
        meter_.add_whole(body.head.data(), body.size);
        // Through a broker nobody else closes, and what has no outcome may not have left.
        if (meter_.counted_all()) tracker.on_done([this](const Outcome&) { finish(); });
    }

    std::map<std::string, Sender> replies_;
    Meter meter_;
};

}  // namespace

std::shared_ptr<Program> make_calls(const Arguments& arguments) {
    if (arguments.mode == "request") return std::make_shared<Request>(arguments);
    if (arguments.mode == "respond") return std::make_shared<Respond>(arguments);
    return nullptr;
}

}  // namespace bench::ours
