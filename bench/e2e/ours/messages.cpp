// One way: messages, and a large one after the other beside them.

#include "program.hpp"

namespace bench::ours {
namespace {

constexpr const char* stream_address = "stream";
constexpr std::size_t part_size = 64 * 1024;
constexpr std::size_t stream_window = 1024 * 1024;

/// Large messages on a link of their own, for as long as somebody asks for more.
class Stream {
public:
    Stream(Connection& connection, std::uint64_t size, std::function<bool()> more)
        : size_(size), more_(std::move(more)), part_(codec::Bytes::from_string(std::string(part_size, 'x'))) {
        SenderOptions options;
        options.queue_bytes_max = stream_window;
        options.link.message_size_max = 0;  // none
        auto handler = std::make_shared<ToSend>();
        handler->open = [this](Sender& sender) {
            sender_ = sender;
            next();
        };
        connection.open_sender(stream_address, options, handler);
    }

private:
    void next() {
        if (!more_()) {
            if (message_) message_.abort();
            return;
        }
        if (!message_) {
            message_ = sender_.begin({.settled = true});
            written_ = 0;
        }
        codec::Message section;
        section.body = codec::Message::Data{part_};
        message_.async_append(codec::encode(section).octets(), std::chrono::hours(1))
            .then([this](codec::Result<void, Failure> done) {
                if (!done) return;  // the connection is over
                written_ += part_size;
                if (written_ >= size_) message_.finish();
                next();
            });
    }

    const std::uint64_t size_;
    const std::function<bool()> more_;
    const codec::Bytes part_;
    Sender sender_;
    OutgoingDelivery message_;
    std::uint64_t written_ = 0;
};

class Send final : public Program {
public:
    explicit Send(const Arguments& given) : Program(given), outgoing_(arguments) {}

    void start() override {
        SenderOptions options;
        options.queue_bytes_max = std::max(options.queue_bytes_max, 2 * under_way_max());
        auto handler = std::make_shared<ToSend>();
        handler->credit = [this](Sender&) {
            outgoing_.start([this] { post([this] { send(); }); });
            send();
        };
        sender_ = connection.open_sender(arguments.address, options, handler);
        if (arguments.stream > 0)
            stream_ = std::make_unique<Stream>(connection, arguments.stream, [this] { return !over_; });
    }
    void report() override { outgoing_.report(); }

private:
    /// Octets that are handed over before some of them have gone: what this program holds in memory at most.
    std::size_t under_way_max() const { return std::max<std::size_t>(4 * 1024 * 1024, 2 * arguments.size); }

    void send() {
        while (sender_.credit() > 0 && outgoing_.may_send()) {
            waits_ = (sender_.pending() + 1) * arguments.size > under_way_max();
            if (waits_) return;
            const Tracker tracker =
                sender_.send(codec::encode_data(outgoing_.next()), SendParameters{.settled = arguments.settled});
            // Nothing is to be learned of a small settled message, but that the last one has left.
            if (!arguments.settled || arguments.size >= part_size || outgoing_.sent_all()) watch(tracker);
        }
    }
    void watch(const Tracker& tracker) {
        const bool last = outgoing_.sent_all();
        tracker.on_done([this, last](const Outcome& outcome) {
            if (outcome.kind != (arguments.settled ? Outcome::Kind::sent : Outcome::Kind::accepted)) return;
            if (arguments.settled && last) {
                outgoing_.stop();
                end();
            } else if (!arguments.settled && outgoing_.add_outcome()) {
                end();
            } else if (waits_) {
                send();
            }
        });
    }
    void end() {
        over_ = true;
        finish();
    }

    Outgoing outgoing_;
    Sender sender_;
    std::unique_ptr<Stream> stream_;
    bool waits_ = false;
    bool over_ = false;
};

class Receive final : public Program {
public:
    explicit Receive(const Arguments& given) : Program(given), incoming_(arguments) {}

    void start() override {
        for (std::uint32_t i = 0; i < arguments.links; ++i)
            connection.open_receiver(arguments.address, reading(), handler());
    }
    void on_receiver_requested(Connection&, LinkRequest request) override {
        if (request.address() != stream_address) {
            request.accept_receiver(reading(), handler());
            return;
        }
        ReceiverOptions options;
        options.credit = 2;
        options.link.stream_window = stream_window;
        options.link.message_size_max = 0;  // none
        auto handler = std::make_shared<ToReceive>();
        handler->part = [this](Delivery& delivery) { take(delivery); };
        request.accept_receiver(options, handler);
    }
    void report() override {
        incoming_.report();
        if (streamed_ > 0) std::cerr << streamed_ << " octets beside" << std::endl;
    }

private:
    std::shared_ptr<ToReceive> handler() {
        auto handler = std::make_shared<ToReceive>();
        handler->open = [this](Receiver&) {
            if (!arguments.listen && ++opened_ == arguments.links) say("ready");
        };
        handler->message = [this](Delivery& delivery) {
            const Body body(delivery.message(), arguments.size);
            delivery.accept();
            if (incoming_.add(body.head.data(), body.size)) finish();
        };
        return handler;
    }
    void take(Delivery& delivery) {
        const auto part = delivery.try_read({});
        if (!part) return;  // taken back
        streamed_ += part->size();
        if (part->empty()) delivery.accept();
    }

    Incoming incoming_;
    std::uint32_t opened_ = 0;
    std::uint64_t streamed_ = 0;
};

}  // namespace

std::shared_ptr<Program> make_messages(const Arguments& arguments) {
    if (arguments.mode == "send") return std::make_shared<Send>(arguments);
    if (arguments.mode == "receive") return std::make_shared<Receive>(arguments);
    return nullptr;
}

}  // namespace bench::ours
