// Sends messages of every kind of body to a queue, receives them from it with Proton's C++ client, accepts each by
// itself and checks that each came once, with the content and the types it was sent with.
//
//     proton_peer URL ADDRESS COUNT [CA]
//
// A password in the URL may go in the clear without CA, a file with whom to trust.

#include <cstdint>
#include <iostream>
#include <map>
#include <set>
#include <string>
#include <vector>

#include <proton/annotation_key.hpp>
#include <proton/binary.hpp>
#include <proton/codec/encoder.hpp>
#include <proton/codec/list.hpp>
#include <proton/codec/map.hpp>
#include <proton/codec/vector.hpp>
#include <proton/connection.hpp>
#include <proton/connection_options.hpp>
#include <proton/container.hpp>
#include <proton/decimal.hpp>
#include <proton/delivery.hpp>
#include <proton/error_condition.hpp>
#include <proton/message.hpp>
#include <proton/message_id.hpp>
#include <proton/messaging_handler.hpp>
#include <proton/receiver.hpp>
#include <proton/receiver_options.hpp>
#include <proton/reconnect_options.hpp>
#include <proton/sender.hpp>
#include <proton/ssl.hpp>
#include <proton/symbol.hpp>
#include <proton/timestamp.hpp>
#include <proton/tracker.hpp>
#include <proton/transport.hpp>
#include <proton/uuid.hpp>

namespace {

constexpr std::size_t large = 1024 * 1024;
constexpr std::uint32_t window = 100;

using proton::message;
using proton::value;

message make(std::uint64_t i) {
    message m;
    m.id(proton::message_id(i));
    m.subject("subject " + std::to_string(i));
    m.content_type("x/y");
    m.priority(static_cast<std::uint8_t>(i % 10));
    m.properties().put("number", static_cast<std::int64_t>(i));
    m.message_annotations().put(proton::symbol("x-opt-a"), static_cast<std::int64_t>(i));
    if (i % 1000 == 999) {
        m.inferred(i % 2000 == 999);
        if (m.inferred())
            m.body(proton::binary(std::string(large, static_cast<char>(i % 251))));
        else
            m.body(std::string(large, static_cast<char>('a' + i % 26)));
        return m;
    }
    const auto number = static_cast<std::int64_t>(i);
    std::map<std::string, value> map{{"text", value("h\u00e9llo")}, {"n", value(i)}, {"null", value()}};
    const std::vector<value> list{value(number), value("two"), value(map), value(true)};
    switch (i % 24) {
        case 0: m.body("text " + std::to_string(i)); break;
        case 1: m.body(std::string()); break;
        case 2: m.body(proton::binary(std::string("\0\xffvalue", 7))); break;
        case 3:
            m.inferred(true), m.body(proton::binary(std::string("\0\xff"
                                                                "data",
                                                                6)));
            break;
        case 4: m.body(map); break;
        case 5: m.body(list); break;
        case 6: m.inferred(true), m.body(list); break;
        case 7: m.body(value()); break;
        case 8: m.body(true); break;
        case 9: m.body(static_cast<std::uint8_t>(255)); break;
        case 10: m.body(static_cast<std::uint16_t>(65535)); break;
        case 11: m.body(static_cast<std::uint32_t>(0)); break;
        case 12: m.body(static_cast<std::uint32_t>(UINT32_MAX)); break;
        case 13: m.body(static_cast<std::uint64_t>(UINT64_MAX)); break;
        case 14: m.body(static_cast<std::int8_t>(-128)); break;
        case 15: m.body(static_cast<std::int16_t>(-32768)); break;
        case 16: m.body(static_cast<std::int32_t>(INT32_MIN)); break;
        case 17: m.body(number); break;
        case 18: m.body(0.5f); break;
        case 19: m.body(-1.5e300); break;
        case 20: m.body(static_cast<wchar_t>(0x20ac)); break;
        case 21: m.body(proton::timestamp(1234567890123)); break;
        case 22: m.body(proton::uuid::copy("0123456789abcdef")); break;
        default: m.body(proton::symbol("a-symbol")); break;
    }
    return m;
}

/// By type and content. Proton's own comparison of values does not end for some maps.
bool same(const value& a, const value& b) {
    if (a.empty() || b.empty()) return a.empty() && b.empty();
    if (a.type() != b.type()) return false;
    if (a.type() == proton::STRING) return proton::get<std::string>(a) == proton::get<std::string>(b);
    if (a.type() == proton::BINARY) return proton::get<proton::binary>(a) == proton::get<proton::binary>(b);
    return proton::to_string(a) == proton::to_string(b);
}

bool same(const message& a, const message& b) {
    return same(a.body(), b.body()) && a.inferred() == b.inferred() && a.subject() == b.subject() &&
           a.content_type() == b.content_type() && a.priority() == b.priority() &&
           a.properties().get("number") == b.properties().get("number") &&
           a.message_annotations().get(proton::symbol("x-opt-a")) ==
               b.message_annotations().get(proton::symbol("x-opt-a"));
}

class Peer : public proton::messaging_handler {
public:
    Peer(std::string url, std::string address, std::uint64_t count, std::string ca)
        : url_(std::move(url)), address_(std::move(address)), count_(count), ca_(std::move(ca)) {}

    void on_container_start(proton::container& container) override {
        proton::connection_options options;
        options.reconnect(proton::reconnect_options().max_attempts(1));
        options.sasl_allow_insecure_mechs(ca_.empty());
        if (!ca_.empty()) options.ssl_client_options(proton::ssl_client_options(ca_, proton::ssl::VERIFY_PEER_NAME));
        container.connect(url_, options);
    }

    void on_connection_open(proton::connection& connection) override {
        sender_ = connection.open_sender(address_);
        receiver_ = connection.open_receiver(address_, proton::receiver_options().credit_window(0).auto_accept(false));
        receiver_.add_credit(window);
    }

    void on_sendable(proton::sender&) override {
        while (sender_.credit() > 0 && sent_ < count_ && sent_ - received_.size() < 5 * window)
            sender_.send(make(sent_++));
    }

    void on_tracker_accept(proton::tracker&) override {
        ++accepted_;
        finish_if_done();
    }
    void on_tracker_reject(proton::tracker&) override { fail("rejected"); }
    void on_tracker_release(proton::tracker&) override { fail("released"); }

    void on_message(proton::delivery& delivery, message& got) override {
        const auto i = proton::coerce<std::uint64_t>(got.id());
        if (!received_.insert(i).second) return fail("message " + std::to_string(i) + " came twice");
        if (!same(make(i), got)) return fail("message " + std::to_string(i) + " has changed");
        delivery.accept();
        receiver_.add_credit(1);
        on_sendable(sender_);
        finish_if_done();
    }

    void on_error(const proton::error_condition& error) override { fail(error.what()); }

    int result() const {
        std::cout << "sent " << sent_ << ", accepted " << accepted_ << ", received " << received_.size() << std::endl;
        if (problem_.empty() && accepted_ == count_ && received_.size() == count_) return 0;
        std::cerr << "proton_peer: " << (problem_.empty() ? "not everything arrived" : problem_) << std::endl;
        return 1;
    }

private:
    void finish_if_done() {
        if (accepted_ == count_ && received_.size() == count_) sender_.connection().close();
    }
    void fail(const std::string& why) {
        if (problem_.empty()) problem_ = why;
        if (sender_) sender_.connection().close();
    }

    const std::string url_;
    const std::string address_;
    const std::uint64_t count_;
    const std::string ca_;
    proton::sender sender_;
    proton::receiver receiver_;
    std::uint64_t sent_ = 0;
    std::uint64_t accepted_ = 0;
    std::set<std::uint64_t> received_;
    std::string problem_;
};

}  // namespace

int main(int argc, char** argv) {
    if (argc != 4 && argc != 5) {
        std::cerr << "proton_peer URL ADDRESS COUNT [CA]" << std::endl;
        return 2;
    }
    try {
        Peer peer(argv[1], argv[2], std::stoull(argv[3]), argc == 5 ? argv[4] : "");
        proton::container(peer).run();
        return peer.result();
    } catch (const std::exception& error) {
        std::cerr << "proton_peer: " << error.what() << std::endl;
        return 1;
    }
}
