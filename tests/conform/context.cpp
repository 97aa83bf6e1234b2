#include "conform/context.hpp"

namespace aprotic::conform {
namespace {

std::string filled_in(std::string pattern, const std::string& name) {
    if (const auto at = pattern.find('%'); at != std::string::npos) pattern.replace(at, 1, name);
    return pattern;
}

}  // namespace

Context::Context(Connector connect, const Profile& profile, Timing timing, std::string unique, Clients* clients)
    : connect_(std::move(connect)), profile_(profile), timing_(timing), unique_(std::move(unique)), clients_(clients) {}

Line& Context::connect() {
    std::string why;
    auto channel = connect_(timing_.answer, why);
    if (!channel) throw Finding{Verdict::inconclusive, "the peer takes a connection", why};
    return lines_.emplace_back(std::move(channel), timing_, lines_.size(), log, outcome);
}

Line& Context::authenticated() {
    Line& line = connect();
    if (profile_.sasl == "anonymous") line.authenticate("ANONYMOUS", "conform");
    if (profile_.sasl == "plain")
        line.authenticate("PLAIN", std::string(1, '\0') + profile_.user + '\0' + profile_.password);
    return line;
}

Line& Context::opened(const peer::OpenFrame& ours) {
    Line& line = authenticated();
    line.open(ours);
    return line;
}

Line& Context::mapped(const peer::BeginFrame& ours) {
    Line& line = opened();
    line.begin(0, ours);
    return line;
}

Line& Context::sending(const std::string& address) {
    Line& line = mapped();
    line.attach_sender(sender(address));
    return line;
}

Line& Context::receiving(const std::string& address) {
    Line& line = mapped();
    line.attach_receiver(receiver(address));
    return line;
}

Line& Context::called(const Task& task) {
    if (!has_client(task.role))
        skip(std::string("no command of a client that ") + (task.role == codec::Role::sender ? "sends" : "receives") +
             " is given");
    // Programs take longer to start than to answer.
    constexpr int start = 4;
    std::string why = clients_->start(task);
    auto channel = why.empty() ? clients_->accept(timing_.answer * start, why) : nullptr;
    if (!channel) throw Finding{Verdict::inconclusive, "the client under test connects", why};
    Line& line = lines_.emplace_back(std::move(channel), timing_, lines_.size(), log, outcome);
    line.may_begin = false;
    return line;
}

Line* Context::called_again(Duration patience) {
    std::string why;
    auto channel = clients_->accept(patience, why);
    if (!channel) return nullptr;
    Line& line = lines_.emplace_back(std::move(channel), timing_, lines_.size(), log, outcome);
    line.may_begin = false;
    return &line;
}

std::optional<int> Context::left(Duration patience) { return clients_->wait(patience); }

peer::OpenFrame Context::open() const {
    auto ours = peer::open();
    ours.container_id("conform-" + unique_).max_frame_size(64 * 1024);
    if (!profile_.hostname.empty()) ours.hostname(profile_.hostname);
    return ours;
}

peer::AttachFrame Context::sender(const std::string& address, std::uint32_t handle, std::string name) const {
    auto ours = peer::attach(codec::Role::sender, handle, std::move(name));
    ours.target(address);
    return ours;
}

peer::AttachFrame Context::receiver(const std::string& address, std::uint32_t handle, std::string name) const {
    auto ours = peer::attach(codec::Role::receiver, handle, std::move(name));
    ours.source(address);
    return ours;
}

codec::Bytes Context::message(std::string_view body) {
    return codec::encode(codec::Message(std::string(body))).octets().contiguous();
}

peer::TransferFrame Context::delivery(Line& line, std::string_view body) {
    const std::uint32_t id = line.next_delivery_id++;
    auto frame = peer::transfer(0);
    frame.delivery_id(id).delivery_tag("tag-" + std::to_string(id)).message_format(0).payload(message(body).text());
    return frame;
}

void Context::fill(const std::string& address, unsigned count) {
    Line& line = sending(address);
    line.ordinary([&] {
        for (unsigned i = 0; i < count; ++i) {
            line.send(delivery(line, "message " + std::to_string(i)));
            const auto outcome_of_it = line.expect<codec::Disposition>("it takes the message");
            line.require(outcome_of_it->state && std::holds_alternative<codec::Accepted>(*outcome_of_it->state),
                         "the queue accepts a message", codec::to_string(codec::Performative(*outcome_of_it)));
        }
        line.finish();
    });
}

std::string Context::queue(std::string_view which) const {
    return filled_in(profile_.queue, unique_ + "." + std::string(which));
}

std::string Context::missing() const { return filled_in(profile_.missing, unique_); }

void Context::skip(const std::string& reason) const { throw Finding{Verdict::unimplemented, "", reason}; }

void Context::fail(const std::string& expected, const std::string& actual) const {
    throw Finding{Verdict::failed, expected, actual};
}

void Context::require(bool holds, const std::string& expected, const std::string& actual) const {
    if (!holds) fail(expected, actual);
}

}  // namespace aprotic::conform
