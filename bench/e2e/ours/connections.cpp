// Connections: one after the other, and many that do nothing.

#include "program.hpp"

namespace bench::ours {
namespace {

constexpr std::size_t opening_max = 32;  // at once: fewer than a listener's backlog

/// Ends with `over`, on the container's thread.
struct Each : ConnectionHandler {
    std::function<void(Connection&)> opened;
    std::function<void()> closed;
    std::function<void(LinkRequest)> asked;
    std::promise<void> over;

    void on_open(Connection& connection) override {
        if (opened) opened(connection);
    }
    void on_close(Connection&, const std::optional<Failure>&) override {
        if (closed) closed();
    }
    void on_receiver_requested(Connection&, LinkRequest request) override { asked(std::move(request)); }
};

/// Opens and closes one after the other, with a TLS session taken up again if that is asked for.
void connect(const Arguments& arguments) {
    Container container;
    const ConnectionOptions options = connection_options(arguments);
    Rounds rounds(arguments);
    std::uint64_t resumed = 0;
    const auto handler = std::make_shared<Each>();
    const auto next = [&] { container.connect(url(arguments), options, handler); };
    handler->opened = [&](Connection& connection) {
        resumed += connection.identity().tls && connection.identity().tls->resumed ? 1 : 0;
        connection.close();
    };
    handler->closed = [&] {
        if (rounds.add())
            handler->over.set_value();
        else
            next();
    };
    next();
    handler->over.get_future().get();
    rounds.report();
    if (arguments.resume) std::cerr << resumed << " sessions resumed" << std::endl;
}

void accept(const Arguments& arguments) {
    Container container;
    Rounds rounds(arguments);
    const auto handler = std::make_shared<Each>();
    handler->closed = [&] {
        if (rounds.add()) handler->over.set_value();
    };
    const Listener listener = listen(container, arguments, connection_options(arguments), [&] { return handler; });
    handler->over.get_future().get();
    rounds.report();
}

/// Opens all connections, then links on each, and lets go of them.
void idle(const Arguments& arguments) {
    std::vector<Connection> connections;
    std::vector<Sender> senders;
    connections.reserve(arguments.count);
    senders.reserve(arguments.count * arguments.links);
    Container container;
    Idle idle(arguments);
    const auto handler = std::make_shared<Each>();
    const auto taking = std::make_shared<ToSend>();
    taking->open = [&](Sender&) {
        if (idle.add_link()) handler->over.set_value();
    };
    const auto next = [&] {
        if (connections.size() < arguments.count) connections.push_back(container.connect(url(arguments), {}, handler));
    };
    handler->opened = [&](Connection&) {
        next();
        if (!idle.add_connection()) return;
        for (const Connection& connection : connections)
            for (std::uint32_t i = 0; i < arguments.links; ++i)
                senders.push_back(connection.open_sender("idle", {}, taking));
    };
    container.reactor().post([&] {
        for (std::size_t i = 0; i < opening_max; ++i) next();
    });
    handler->over.get_future().get();
    idle.report();
}

void hold(const Arguments& arguments) {
    Container container;
    Idle idle(arguments);
    std::uint64_t left = arguments.count;
    const auto handler = std::make_shared<Each>();
    const auto taking = std::make_shared<ToReceive>();
    ReceiverOptions reading;
    reading.credit = arguments.credit;
    handler->opened = [&](Connection&) { idle.add_connection(); };
    handler->asked = [&](LinkRequest request) {
        request.accept_receiver(reading, taking);
        idle.add_link();
    };
    handler->closed = [&] {
        if (--left == 0) handler->over.set_value();
    };
    const Listener listener = listen(container, arguments, {}, [&] { return handler; });
    handler->over.get_future().get();
    idle.report();
}

}  // namespace

bool run_connections(const Arguments& arguments) {
    if (arguments.mode == "connect")
        connect(arguments);
    else if (arguments.mode == "accept")
        accept(arguments);
    else if (arguments.mode == "idle")
        idle(arguments);
    else if (arguments.mode == "hold")
        hold(arguments);
    else
        return false;
    return true;
}

}  // namespace bench::ours
