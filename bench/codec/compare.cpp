// Our codec and Proton C's on the same content, in one process. Every row first checks that both sides produce or read
// the same; then the two run in turns, and what counts is the median over the turns of Proton's time divided by ours.
#include <proton/codec.h>
#include <proton/message.h>
#include <proton/version.h>
#include <aprotic/codec/described.hpp>
#include <aprotic/codec/dump.hpp>
#include <aprotic/codec/frame.hpp>
#include <aprotic/codec/message_view.hpp>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <functional>
#include <memory>
#include <string>
#include <vector>

using namespace aprotic::codec;

namespace {

template <class T>
void keep(const T& v) {
    asm volatile("" : : "g"(&v) : "memory");
}

[[noreturn]] void differ(const char* what) {
    std::fprintf(stderr, "not timed, since the two do not agree: %s\n", what);
    std::exit(1);
}
void same(bool holds, const char* what) {
    if (!holds) differ(what);
}

std::string_view text_of(pn_bytes_t octets) { return {octets.start, octets.size}; }
pn_bytes_t octets_of(std::string_view text) { return pn_bytes(text.size(), text.data()); }

// The content

constexpr std::string_view to = "openstack.org/om/rpc/anycast/nova/compute";
constexpr std::string_view subject = "instance.update";
constexpr std::string_view reply_to = "openstack.org/om/rpc/unicast/reply/6b1e5a0c";
constexpr std::string_view content_type = "application/json";
constexpr std::uint64_t message_number = 70'001;
constexpr std::uint64_t correlation_number = 40'000;

Message make_ours(const std::string& body) {
    Message message = Message::data(body);
    message.header = Header{.durable = true, .priority = 7, .ttl = 30'000};
    Properties& properties = message.ensure_properties();
    properties.message_id = message_number;
    properties.to = to;
    properties.subject = subject;
    properties.reply_to = reply_to;
    properties.correlation_id = correlation_number;
    properties.content_type = Symbol(content_type);
    message.application_properties = {
        {"method", "build_and_run"}, {"version", "5.1"}, {"attempt", 3}, {"traced", true}};
    return message;
}

struct MessageDelete {
    void operator()(pn_message_t* message) const { pn_message_free(message); }
};
using ProtonMessage = std::unique_ptr<pn_message_t, MessageDelete>;
struct DataDelete {
    void operator()(pn_data_t* data) const { pn_data_free(data); }
};
using ProtonData = std::unique_ptr<pn_data_t, DataDelete>;

pn_atom_t number(std::uint64_t v) {
    pn_atom_t atom{};
    atom.type = PN_ULONG;
    atom.u.as_ulong = v;
    return atom;
}

ProtonMessage make_proton(const std::string& body) {
    ProtonMessage message(pn_message());
    pn_message_set_durable(message.get(), true);
    pn_message_set_priority(message.get(), 7);
    pn_message_set_ttl(message.get(), 30'000);
    pn_message_set_id(message.get(), number(message_number));
    pn_message_set_address(message.get(), std::string(to).c_str());
    pn_message_set_subject(message.get(), std::string(subject).c_str());
    pn_message_set_reply_to(message.get(), std::string(reply_to).c_str());
    pn_message_set_correlation_id(message.get(), number(correlation_number));
    pn_message_set_content_type(message.get(), std::string(content_type).c_str());
    pn_data_t* properties = pn_message_properties(message.get());
    pn_data_put_map(properties);
    pn_data_enter(properties);
    pn_data_put_string(properties, octets_of(std::string_view("method")));
    pn_data_put_string(properties, octets_of(std::string_view("build_and_run")));
    pn_data_put_string(properties, octets_of(std::string_view("version")));
    pn_data_put_string(properties, octets_of(std::string_view("5.1")));
    pn_data_put_string(properties, octets_of(std::string_view("attempt")));
    pn_data_put_int(properties, 3);
    pn_data_put_string(properties, octets_of(std::string_view("traced")));
    pn_data_put_bool(properties, true);
    pn_data_exit(properties);
    pn_message_set_inferred(message.get(), true);
    pn_data_put_binary(pn_message_body(message.get()), octets_of(std::string_view(body)));
    return message;
}

Value make_value() {
    List rows;
    for (std::int32_t i = 0; i < 20; ++i) {
        rows.push_back(
            Map{{"id", i * 1000}, {"name", "row " + std::to_string(i)}, {"ratio", i * 0.25}, {"live", i % 2 == 0}});
    }
    return Map{{"rows", std::move(rows)}, {"count", std::uint64_t{20}}};
}

// Timing

/// Of this thread alone: what else the machine does costs less that way.
double now_ns() {
    timespec now{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
}

double nanoseconds(const std::function<void()>& f, std::size_t times) {
    const double start = now_ns();
    for (std::size_t i = 0; i < times; ++i) f();
    return (now_ns() - start) / static_cast<double>(times);
}

/// So many calls take about two milliseconds.
std::size_t calibrate(const std::function<void()>& f) {
    for (std::size_t times = 64;; times *= 2) {
        if (const double each = nanoseconds(f, times); each * static_cast<double>(times) > 2e6) return times;
    }
}

double median(std::vector<double> of) {
    std::nth_element(of.begin(), of.begin() + static_cast<std::ptrdiff_t>(of.size() / 2), of.end());
    return of[of.size() / 2];
}

class Comparison {
public:
    explicit Comparison(int turns) : turns_(turns) {
        std::printf("%-46s %10s %10s %8s %8s\n", "", "ours ns", "Proton ns", "ratio", "target");
    }

    void row(const char* name, const std::function<void()>& ours, const std::function<void()>& theirs,
             double target = 0) {
        const std::size_t our_times = calibrate(ours), their_times = calibrate(theirs);
        std::vector<double> our_ns, their_ns, ratios;
        for (int turn = 0; turn < turns_; ++turn) {
            double us = 0, them = 0;
            if (turn % 2 == 0) us = nanoseconds(ours, our_times);
            them = nanoseconds(theirs, their_times);
            if (turn % 2 != 0) us = nanoseconds(ours, our_times);
            our_ns.push_back(us);
            their_ns.push_back(them);
            ratios.push_back(them / us);
        }
        const double ratio = median(ratios);
        std::printf("%-46s %10.1f %10.1f %7.1fx", name, median(our_ns), median(their_ns), ratio);
        if (target > 0) std::printf(" %7.1fx%s", target, ratio >= target ? "" : " missed");
        std::printf("\n");
    }

    /// Nothing of Proton's to compare with: a limit in nanoseconds instead.
    void row(const char* name, const std::function<void()>& ours, double limit_ns) {
        const std::size_t times = calibrate(ours);
        std::vector<double> ns;
        for (int turn = 0; turn < turns_; ++turn) ns.push_back(nanoseconds(ours, times));
        std::printf("%-46s %10.1f %10s %8s %5.0f ns%s\n", name, median(ns), "", "", limit_ns,
                    median(ns) <= limit_ns ? "" : " missed");
    }

private:
    int turns_;
};

// Rows

void messages(Comparison& rows, const std::string& size, std::size_t body_size) {
    const std::string body(body_size, 'x');
    const Message ours = make_ours(body);
    const ProtonMessage theirs = make_proton(body);

    Encoder encoder(4096);
    std::string their_block(4096, '\0');
    std::size_t their_size = 0;
    const auto we_encode = [&] {
        encoder.truncate(0);
        encode_into(encoder, ours);
        keep(encoder);
    };
    const auto we_refer = [&] { keep(encode(ours)); };
    const auto they_encode = [&] {
        their_size = their_block.size();
        pn_message_encode(theirs.get(), their_block.data(), &their_size);
        keep(their_block);
    };
    we_encode();
    they_encode();
    const Bytes octets = Bytes::copy_of(encoder.written());
    same(decode_message(octets.span()).value() == ours, "what we encode");
    same(decode_message(as_bytes(their_block).first(their_size)).value() == ours, "what Proton encodes");
    same(encode(ours).octets() == ByteChain(octets), "both forms of what we encode");
    rows.row(("encode into a reused buffer, " + size).c_str(), we_encode, they_encode, 8);
    rows.row(("encode as shared octets, " + size).c_str(), we_refer, they_encode);

    const ByteChain received(octets);
    const ProtonMessage read(pn_message());
    same(pn_message_decode(read.get(), as_text(octets.span()).data(), octets.size()) == 0,
         "Proton decodes what we encode");
    const auto we_view = [&] { keep(MessageView(received)); };
    const auto they_decode = [&] {
        pn_message_decode(read.get(), as_text(octets.span()).data(), octets.size());
        keep(read);
    };
    const auto we_own = [&] { keep(decode_message(received)); };
    rows.row(("decode to readable sections, " + size).c_str(), we_view, they_decode, 15);
    rows.row(("decode to an owned message, " + size).c_str(), we_own, they_decode);

    struct Reading {
        std::string_view to, reply_to, body;
        std::uint64_t correlation = 0;
        bool operator==(const Reading&) const = default;
    };
    MessageView view(received);
    const auto we_read = [&] {
        view = MessageView(received);
        const Reading reading{*view.to(), *view.reply_to(), *view.body_text(),
                              std::get<std::uint64_t>(*view.correlation_id())};
        keep(reading);
        return reading;
    };
    const auto they_read = [&] {
        pn_message_decode(read.get(), as_text(octets.span()).data(), octets.size());
        pn_data_t* data = pn_message_body(read.get());
        pn_data_rewind(data);
        pn_data_next(data);
        const Reading reading{pn_message_get_address(read.get()), pn_message_get_reply_to(read.get()),
                              text_of(pn_data_get_binary(data)), pn_message_get_correlation_id(read.get()).u.as_ulong};
        keep(reading);
        return reading;
    };
    same(we_read() == they_read() && we_read().body == body, "what is read");
    rows.row(("read three properties and the body, " + size).c_str(), we_read, they_read, 20);
}

void values(Comparison& rows) {
    const Value value = make_value();
    const Bytes octets = encode_value(value);
    const ProtonData data(pn_data(16));
    same(
        pn_data_decode(data.get(), as_text(octets.span()).data(), octets.size()) == static_cast<ssize_t>(octets.size()),
        "Proton decodes our value");
    std::string block(4096, '\0');
    const ssize_t size = pn_data_encode(data.get(), block.data(), block.size());
    same(size > 0 && decode_value(as_bytes(block).first(static_cast<std::size_t>(size))).value() == value,
         "what Proton encodes");

    Encoder encoder(4096);
    rows.row(
        "encode a map of 20 maps",
        [&] {
            encoder.truncate(0);
            encode(encoder, value);
            keep(encoder);
        },
        [&] {
            pn_data_encode(data.get(), block.data(), block.size());
            keep(block);
        });
    const ProtonData read(pn_data(16));
    rows.row(
        "decode a map of 20 maps", [&] { keep(decode_value(octets.span())); },
        [&] {
            pn_data_clear(read.get());
            pn_data_decode(read.get(), as_text(octets.span()).data(), octets.size());
            keep(read);
        });
}

template <class T>
void frame(Comparison& rows, const std::string& name, const T& performative, std::size_t payload_size) {
    constexpr double limit_ns = 40;
    std::array<std::byte, 512> out{};
    const auto write = [&] {
        keep(write_frame(out, 1, performative, payload_size));
        keep(out);
    };
    const std::size_t size = *write_frame(out, 1, performative, payload_size) + payload_size;
    const std::vector<std::byte> octets(out.begin(), out.begin() + static_cast<std::ptrdiff_t>(size));
    const FrameParser parser;
    const auto read = [&] {
        const FrameParser::Step step = parser.next(octets);
        const auto body = step.frame.as<T>();
        keep(body);
        return body;
    };
    same(read().value() == performative, "a frame and what is read from it");
    rows.row(("encode " + name).c_str(), write, limit_ns);
    rows.row(("parse " + name).c_str(), read, limit_ns);
}

}  // namespace

int main(int argc, char** argv) {
    const int turns = argc > 1 ? std::atoi(argv[1]) : 101;
    if (turns < 1 || argc > 2) {
        std::fprintf(stderr, "usage: %s [TURNS]\n", argv[0]);
        return 2;
    }
    std::printf("Proton C %d.%d.%d, %d turns, medians\n", PN_VERSION_MAJOR, PN_VERSION_MINOR, PN_VERSION_POINT, turns);
    Comparison rows(turns);
    messages(rows, "100 octets", 100);
    messages(rows, "1 KiB", 1024);
    values(rows);
    frame(
        rows, "a transfer frame",
        Transfer{.handle = 1, .delivery_id = 1000, .delivery_tag = DeliveryTag::from_number(1000), .message_format = 0},
        100);
    frame(rows, "a disposition frame",
          Disposition{.role = Role::receiver, .first = 1000, .last = 1009, .settled = true, .state = Accepted{}}, 0);
}
