// What callgrind counts the instructions of: messages of 100 octets through a queue of the embedded broker, from one
// connection to another, and their outcomes back, a window at a time. All three are in the one thread, so a count is
// that of sender, broker and receiver together; the first and the last are the same in both and nearly those of
// tests/engine/instructions.
#include <chrono>
#include <memory>
#include <string>
#include <utility>

#include <aprotic/engine/broker.hpp>
#include <aprotic/engine/container.hpp>

#include "sim/sim_reactor.hpp"
#include "support/instruction_count.hpp"

using namespace aprotic;
using namespace aprotic::engine;
using test::fail;
using test::window;

namespace {

constexpr const char* queue = "unicast.queue";

/// A client of the broker that sends, and one that receives.
class Clients {
public:
    /// The receiver's credit. 0: it is granted when all messages of a window wait in the queue.
    explicit Clients(std::uint32_t credit) : in_(std::make_shared<In>()) {
        reactor_.post([this, credit] {
            sending_ = client_.adopt(broker_.connect_in_process(), false);
            sender_ = sending_.open_sender(queue, {}, std::make_shared<SenderHandler>());
            receiving_ = client_.adopt(broker_.connect_in_process(), false);
            receiver_ = receiving_.open_receiver(queue, {.credit = credit}, in_);
        });
        until([this] { return sender_ && sender_.is_open() && sender_.credit() > 0 && receiver_.is_open(); });
    }
    ~Clients() {
        reactor_.post([this] {
            sending_.close();
            receiving_.close();
        });
        reactor_.run_for(std::chrono::seconds(1));
    }

    void run(const char* name, bool wait) {
        test::count_instructions(name, test::windows, test::window, [&] {
            const std::uint64_t end = outcomes_ + window;
            reactor_.post([this] { send(); });
            until([&] { return outcomes_ >= end; });
            if (wait) reactor_.post([this] { receiver_.add_credit(window); });
            until([&] { return in_->received >= end; });
        });
    }

private:
    struct In final : ReceiverHandler {
        void on_message(Receiver&, Delivery& delivery) override {
            if (delivery.message().body_text().value().size() != 100) fail("another message");
            delivery.accept();
            ++received;
        }
        std::uint64_t received = 0;
    };

    void send() {
        static const std::string body(100, 'x');
        for (int i = 0; i < window; ++i) {
            sender_.send(codec::encode_data(body)).on_done([this](const Outcome& outcome) {
                if (!outcome.accepted()) fail("a message has failed");
                ++outcomes_;
            });
        }
    }
    template <class Done>
    void until(Done done) {
        if (!reactor_.run_until(done)) fail("it does not come to an end");
    }

    sim::SimReactor reactor_;
    Container server_{reactor_, "server"};
    Container client_{reactor_, "client"};
    Broker broker_{server_};
    const std::shared_ptr<In> in_;
    Connection sending_;
    Connection receiving_;
    Sender sender_;
    Receiver receiver_;
    std::uint64_t outcomes_ = 0;
};

}  // namespace

int main() {
    Clients(1000).run("queue-through-100", false);
    Clients(0).run("queue-waiting-100", true);
}
