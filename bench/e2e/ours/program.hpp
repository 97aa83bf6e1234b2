#pragma once

// What the programs on Aprotic's event layer share.

#include <array>
#include <functional>
#include <future>
#include <iostream>
#include <memory>

#include <aprotic/codec/message.hpp>
#include <aprotic/engine/container.hpp>
#include <aprotic/engine/tls.hpp>

#include "e2e/common.hpp"

namespace bench::ours {

using namespace aprotic::engine;
namespace codec = aprotic::codec;

inline codec::Message message(std::string octets) {
    return codec::Message::data(codec::Bytes::from_string(std::move(octets)));
}

/// The first octets and the size of a body of data.
struct Body {
    /// Small ones are read where they lie; of large ones, which may lie in several places, only the beginning.
    Body(const codec::MessageView& view, std::size_t expected) {
        if (expected <= small_max) {
            const auto text = view.body_text();
            if (!text) throw std::runtime_error("a body that is no data");
            size = text->size();
            std::memcpy(head.data(), text->data(), std::min(size, head.size()));
            return;
        }
        const auto octets = view.body_data();
        if (!octets) throw std::runtime_error("a body that is no data");
        size = octets->size();
        octets->copy_to(0, std::span(head).first(std::min(size, head.size())));
    }
    static constexpr std::size_t small_max = 4096;
    std::array<std::byte, head_size> head{};
    std::size_t size = 0;
};

struct ToSend final : SenderHandler {
    void on_open(Sender& sender) override {
        if (open) open(sender);
    }
    void on_credit(Sender& sender) override {
        if (credit) credit(sender);
    }
    void on_close(Sender&, const std::optional<Failure>&) override {
        if (closed) closed();
    }
    std::function<void(Sender&)> open;
    std::function<void(Sender&)> credit;
    std::function<void()> closed;
};

struct ToReceive final : ReceiverHandler {
    void on_open(Receiver& receiver) override {
        if (open) open(receiver);
    }
    void on_message(Receiver&, Delivery& delivery) override { message(delivery); }
    void on_part(Receiver&, Delivery& delivery) override { part(delivery); }
    std::function<void(Receiver&)> open;
    std::function<void(Delivery&)> message;
    std::function<void(Delivery&)> part;
};

ConnectionOptions connection_options(const Arguments& arguments);
std::string url(const Arguments& arguments);
/// Says where once it listens.
Listener listen(Container& container, const Arguments& arguments, const ConnectionOptions& options,
                HandlerFactory make);

/// One connection. Everything runs on the container's thread; main waits for the end.
class Program : public ConnectionHandler, public std::enable_shared_from_this<Program> {
public:
    explicit Program(const Arguments& given) : arguments(given) {}

    void run();

    void on_open(Connection& opened) override {
        connection = opened;
        if (!arguments.listen) start();
    }
    void on_close(Connection&, const std::optional<Failure>& why) override {
        if (why && (why->code != Errc::closed_by_peer || why->condition)) std::cerr << why->message() << std::endl;
        over_.set_value();
    }
    virtual void start() {}
    virtual void report() = 0;

protected:
    ReceiverOptions reading() const {
        ReceiverOptions options;
        options.credit = arguments.credit;
        return options;
    }
    /// As client; the peer closes when we are the server.
    void finish() {
        if (!arguments.listen) connection.close();
    }
    /// Runs `task` on the container's thread. Any thread.
    void post(std::function<void()> task) const { reactor_->post(std::move(task)); }

    const Arguments arguments;
    Connection connection;

private:
    std::promise<void> over_;
    Reactor* reactor_ = nullptr;
};

/// Null: another file's mode.
std::shared_ptr<Program> make_messages(const Arguments& arguments);
std::shared_ptr<Program> make_calls(const Arguments& arguments);
/// False: another file's mode.
bool run_connections(const Arguments& arguments);

}  // namespace bench::ours
