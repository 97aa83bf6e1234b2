// What callgrind counts the instructions of: each operation a hundred times, after two times that do not count.
// check.py runs it.
#include <aprotic/codec/frame.hpp>
#include <aprotic/codec/message_view.hpp>

#include <array>
#include <cstdio>
#include <string>
#include <vector>

#include "support/instruction_count.hpp"

using namespace aprotic::codec;

namespace {

template <class T>
void keep(const T& v) {
    asm volatile("" : : "g"(&v) : "memory");
}

template <class F>
void count(const char* name, const F& operation) {
    aprotic::test::count_instructions(name, 100, 1, operation);
}

Message message_of(std::size_t body_size) {
    Message message = Message::data(std::string(body_size, 'x'));
    message.header = Header{.durable = true, .priority = 7, .ttl = 30'000};
    Properties& properties = message.ensure_properties();
    properties.message_id = std::uint64_t{70'001};
    properties.to = "openstack.org/om/rpc/anycast/nova/compute";
    properties.subject = "instance.update";
    properties.reply_to = "openstack.org/om/rpc/unicast/reply/6b1e5a0c";
    properties.correlation_id = std::uint64_t{40'000};
    properties.content_type = Symbol("application/json");
    message.application_properties = {
        {"method", "build_and_run"}, {"version", "5.1"}, {"attempt", 3}, {"traced", true}};
    return message;
}

template <class T>
void frame(const std::string& name, const T& performative, std::size_t payload_size) {
    std::array<std::byte, 256> out{};
    const std::size_t size = *write_frame(out, 1, performative, payload_size) + payload_size;
    const std::vector<std::byte> octets(out.begin(), out.begin() + static_cast<std::ptrdiff_t>(size));
    const FrameParser parser;
    count(("encode-" + name).c_str(), [&] { keep(write_frame(out, 1, performative, payload_size)); });
    count(("parse-" + name).c_str(), [&] {
        const FrameParser::Step step = parser.next(octets);
        keep(step.frame.as<T>());
    });
}

}  // namespace

int main() {
    for (const std::size_t body_size : {std::size_t{100}, std::size_t{1024}}) {
        const std::string size = "-" + std::to_string(body_size);
        const Message message = message_of(body_size);
        Encoder encoder(4096);
        count(("encode-message" + size).c_str(), [&] {
            encoder.truncate(0);
            encode_into(encoder, message);
            keep(encoder);
        });
        const ByteChain received(Bytes::copy_of(encoder.written()));
        count(("view-message" + size).c_str(), [&] { keep(MessageView(received)); });
        count(("read-message" + size).c_str(), [&] {
            const MessageView view(received);
            keep(view.to());
            keep(view.reply_to());
            keep(view.correlation_id());
            keep(view.body_text());
        });
        count(("decode-message" + size).c_str(), [&] { keep(decode_message(received)); });
    }
    frame(
        "transfer",
        Transfer{.handle = 1, .delivery_id = 1000, .delivery_tag = DeliveryTag::from_number(1000), .message_format = 0},
        100);
    frame("disposition",
          Disposition{.role = Role::receiver, .first = 1000, .last = 1009, .settled = true, .state = Accepted{}}, 0);
    frame("flow",
          Flow{.next_incoming_id = 1000,
               .incoming_window = 2048,
               .next_outgoing_id = 1,
               .outgoing_window = 2048,
               .handle = 1,
               .delivery_count = 1000,
               .link_credit = 100},
          0);
}
