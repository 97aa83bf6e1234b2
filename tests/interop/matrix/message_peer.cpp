// Messages of every kind of body on our event layer; proton_matrix_peer.cpp and rhea_peer.js do the same with other
// libraries. Each line of output is one JSON object.
//
//     message_peer send URL ADDRESS [OPTION VALUE]...      one of each kind, or --count N of them; then one with
//     --large OCTETS message_peer receive URL ADDRESS [OPTION VALUE]...   what came, and whether it is as it was sent
//     message_peer drain URL ADDRESS [OPTION VALUE]...     takes what there is and says when that was all
//
// Further options: --without KIND,…, --ca FILE (with whom to trust).

#include <chrono>
#include <cstdlib>
#include <functional>
#include <future>
#include <iostream>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include <aprotic/codec/message.hpp>
#include <aprotic/engine/container.hpp>
#include <aprotic/engine/tls.hpp>

namespace {

using namespace aprotic::engine;
using namespace std::chrono_literals;
namespace codec = aprotic::codec;
using codec::Value;

constexpr std::size_t kinds = 25;
constexpr auto patience = 40s;

void say(const nlohmann::json& what) { std::cout << what.dump() << std::endl; }

/// The body of each kind; the large one comes after them.
codec::Message make(std::size_t kind, std::size_t large) {
    const codec::Map map{{"n", std::uint64_t{5}}, {"null", nullptr}, {"text", "h\u00e9llo"}};  // as a std::map has them
    const codec::List list{std::int64_t{-5}, "two", map, true};
    const auto body = [&]() -> codec::Message {
        switch (kind) {
            case 0: return Value("text \u20ac");
            case 1: return Value("");
            case 2: return Value(codec::Binary(std::string("\0\xffvalue", 7)));
            case 3:
                return codec::Message::data(
                    std::string_view("\0\xff"
                                     "data",
                                     6));
            case 4: return Value(map);
            case 5: return Value(list);
            case 6: return codec::Message::sequence(list);
            case 7: return Value(nullptr);
            case 8: return Value(true);
            case 9: return Value(std::uint8_t{255});
            case 10: return Value(std::uint16_t{65535});
            case 11: return Value(std::uint32_t{0});
            case 12: return Value(std::uint32_t{4294967295});
            case 13: return Value(std::uint64_t{18446744073709551615u});
            case 14: return Value(std::int8_t{-128});
            case 15: return Value(std::int16_t{-32768});
            case 16: return Value(std::int32_t{-2147483648});
            case 17: return Value(std::int64_t{-9007199254740991});
            case 18: return Value(0.5f);
            case 19: return Value(-1.5e300);
            case 20: return Value(U'\u20ac');
            case 21: return Value(codec::Timestamp{1234567890123});
            case 22: return Value(*codec::Uuid::parse("30313233-3435-3637-3839-616263646566"));
            case 23: return Value(codec::Symbol("a-symbol"));
            case 24: return Value(codec::Array({std::int32_t{1}, std::int32_t{-2}, std::int32_t{3}}));
            default: return codec::Message::data(std::string(large, 'x'));
        }
    };
    codec::Message message = body();
    message.ensure_properties().message_id = "kind " + std::to_string(kind);
    message.properties->content_type = "x/y";
    message.application_properties.set("kind", static_cast<std::int64_t>(kind));
    return message;
}

struct Arguments {
    std::string role, url, address, ca;
    std::size_t large = 0;
    std::vector<std::size_t> sent;  ///< kinds, in their order

    Arguments(int argc, char** argv) {
        if (argc < 4) throw std::runtime_error("message_peer send|receive|drain URL ADDRESS [OPTION VALUE]...");
        role = argv[1], url = argv[2], address = argv[3];
        std::size_t count = 0;
        std::set<std::size_t> without;
        for (int i = 4; i + 1 < argc; i += 2) {
            const std::string_view name = argv[i];
            if (name == "--count") count = std::strtoull(argv[i + 1], nullptr, 10);
            if (name == "--large") large = std::strtoull(argv[i + 1], nullptr, 10);
            if (name == "--ca") ca = argv[i + 1];
            if (name == "--without")
                for (const char* at = argv[i + 1]; *at != 0; at += *at == ',')
                    without.insert(std::strtoull(at, const_cast<char**>(&at), 10));
        }
        for (std::size_t kind = 0; kind < kinds && (count == 0 || sent.size() < count); ++kind)
            if (!without.contains(kind)) sent.push_back(kind);
        if (large != 0) sent.push_back(kinds);
    }
    std::size_t total() const { return sent.size(); }
};

struct Reading final : ReceiverHandler {
    void on_open(Receiver& receiver) override { opened(receiver); }
    void on_message(Receiver& receiver, Delivery& delivery) override { message(receiver, delivery); }
    void on_drained(Receiver&) override { drained(); }
    void on_close(Receiver&, const std::optional<Failure>& why) override {
        if (why) fail(why->message());
    }
    std::function<void(Receiver&)> opened = [](Receiver&) {};
    std::function<void(Receiver&, Delivery&)> message;
    std::function<void()> drained = [] {};
    std::function<void(const std::string&)> fail;
};

int send(const Connection& connection, const Arguments& arguments) {
    const Sender sender = connection.open_sender(arguments.address);
    std::vector<Tracker> trackers;
    for (const auto kind : arguments.sent) trackers.push_back(sender.send(make(kind, arguments.large)));
    std::size_t accepted = 0;
    nlohmann::json others = nlohmann::json::array();
    for (std::size_t i = 0; i < trackers.size(); ++i) {
        const auto outcome = trackers[i].try_wait(patience);
        if (outcome && outcome->accepted())
            ++accepted;
        else
            others.push_back(
                fmt::format("message {}: {}", i, outcome ? outcome->message() : outcome.error().message()));
    }
    say({{"event", "sent"}, {"accepted", accepted}, {"others", others}});
    return accepted == arguments.total() ? 0 : 1;
}

/// What is different from what was sent; empty if nothing is.
std::string difference(const Delivery& delivery, std::size_t large) {
    const auto got = delivery.message().to_message();
    if (!got) return got.error().message();
    const auto* id = got->properties && got->properties->message_id
                         ? std::get_if<std::string>(&*got->properties->message_id)
                         : nullptr;
    if (id == nullptr || !id->starts_with("kind ")) return "a message without the id it had";
    const auto kind = std::strtoull(id->c_str() + 5, nullptr, 10);
    const codec::Message sent = make(kind, large);
    // Proton sends no body at all where there is nothing in it.
    const bool nothing = kind == 7 && std::holds_alternative<std::monostate>(got->body);
    if (got->body != sent.body && !nothing) return *id + ": another body";
    if (got->properties->content_type != sent.properties->content_type) return *id + ": another content-type";
    const Value* number = got->application_properties.find("kind");
    if (number == nullptr || number->to_int64() != static_cast<std::int64_t>(kind))
        return *id + ": another application property";
    return {};
}

int receive(const Connection& connection, const Arguments& arguments) {
    std::promise<std::string> over;
    std::set<std::string> wrong;
    std::size_t count = 0;
    bool ended = false;
    const auto end = [&](const std::string& why) {
        if (!std::exchange(ended, true)) over.set_value(why);
    };
    const auto handler = std::make_shared<Reading>();
    handler->opened = [](Receiver&) { say({{"event", "started"}}); };
    handler->message = [&](Receiver&, Delivery& delivery) {
        if (const auto what = difference(delivery, arguments.large); !what.empty()) wrong.insert(what);
        delivery.accept();
        if (++count == arguments.total()) end("");
    };
    handler->fail = end;
    const Receiver receiver = connection.open_receiver(arguments.address, {}, handler);
    auto future = over.get_future();
    const std::string why =
        future.wait_for(patience) == std::future_status::ready ? future.get() : "not all came in time";
    connection.close();
    (void)connection.wait_closed(5s);
    say({{"event", "received"}, {"count", count}, {"wrong", wrong}, {"why", why}});
    return why.empty() && wrong.empty() ? 0 : 1;
}

int drain(const Connection& connection, const Arguments& arguments) {
    std::promise<std::string> over;
    std::size_t count = 0;
    bool ended = false;
    const auto end = [&](const std::string& why) {
        if (!std::exchange(ended, true)) over.set_value(why);
    };
    const auto handler = std::make_shared<Reading>();
    handler->opened = [](Receiver& receiver) {
        receiver.add_credit(100);
        receiver.drain();
    };
    handler->message = [&](Receiver&, Delivery& delivery) {
        ++count;
        delivery.accept();
    };
    handler->drained = [&] { end(""); };
    handler->fail = end;
    ReceiverOptions options;
    options.credit = 0;
    const Receiver receiver = connection.open_receiver(arguments.address, options, handler);
    auto future = over.get_future();
    const std::string why =
        future.wait_for(15s) == std::future_status::ready ? future.get() : "nobody said that this was all";
    connection.close();
    (void)connection.wait_closed(5s);
    say({{"event", "drained"}, {"count", count}, {"why", why}});
    return why.empty() ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
    try {
        const Arguments arguments(argc, argv);
        ConnectionOptions options;
        options.sasl.enabled = true;
        if (!arguments.ca.empty()) {
            TlsOptions tls;
            tls.ca_file = arguments.ca;
            const auto made = TlsContext::make_client(tls);
            if (!made) throw std::runtime_error(made.error().message());
            options.tls.context = *made;
        }
        Container container;
        const Connection connection = container.connect(arguments.url, options);
        if (const auto open = connection.wait_open(10s); !open) {
            say({{"event", "failed"}, {"why", open.error().message()}});
            return 1;
        }
        if (arguments.role == "send") return send(connection, arguments);
        if (arguments.role == "receive") return receive(connection, arguments);
        if (arguments.role == "drain") return drain(connection, arguments);
        throw std::runtime_error("no role " + arguments.role);
    } catch (const std::exception& error) {
        std::cerr << "message_peer: " << error.what() << std::endl;
        return 2;
    }
}
