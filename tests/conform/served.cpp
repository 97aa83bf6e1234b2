#include "conform/served.hpp"

namespace aprotic::conform {
namespace {

using codec::Role;

/// Whether the link is the one that the client was told to make.
bool is_meant(const codec::Attach& attach, const Task& task) {
    if (attach.role != task.role) return false;
    std::optional<std::string> address;
    if (task.role == Role::receiver && attach.source) address = attach.source->address;
    const auto* target = attach.target ? std::get_if<codec::Target>(&*attach.target) : nullptr;
    if (task.role == Role::sender && target != nullptr) address = target->address;
    return address && address->find(task.node) != std::string::npos;
}

peer::AttachFrame answer_to(const codec::Attach& theirs, std::uint32_t handle) {
    auto ours = peer::attach(codec::opposite(theirs.role), handle, theirs.name);
    ours.performative.source = theirs.source;
    ours.performative.target = theirs.target;
    ours.snd_settle_mode(theirs.snd_settle_mode).rcv_settle_mode(theirs.rcv_settle_mode);
    return ours;
}

}  // namespace

Served::Served(Context& context, Task what) : t(context), task(std::move(what)), line(t.called(task)) {
    open_frame = t.open();
}

void offer(Line& line, std::vector<codec::Symbol> mechanisms) {
    line.header(codec::ProtocolId::sasl);
    line.send(peer::sasl_mechanisms(std::move(mechanisms)));
}

Task any_task(Context& t) { return t.has_client(Role::sender) ? Served::sends() : Served::receives(); }

template <class T>
Got<T> Served::next() {
    const std::string due = "the client sends " + std::string(codec::Table<T>::name);
    for (;;) {
        const Heard heard = line.hear();
        if (auto performative = heard.as<T>())
            return {std::move(*performative), heard.view.channel, std::string(codec::as_text(heard.view.payload))};
        if (!answer_besides(heard)) line.fail(due, heard);
    }
}

bool Served::answer_besides(const Heard& heard) {
    if (heard.kind != Heard::Kind::frame) return false;
    if (heard.view.empty() || heard.is(codec::descriptor::flow)) return true;
    const auto begin = heard.as<codec::Begin>();
    if (begin) line.send(peer::begin().remote_channel(heard.view.channel).on_channel(next_channel_++));
    return begin.has_value();
}

Served& Served::greet() {
    if (!is_due(Step::greeted)) return *this;
    line.ordinary([&] {
        first_header = line.expect_header("its protocol header");
        if (first_header.is(codec::ProtocolId::sasl)) {
            offer(line, {codec::Symbol("ANONYMOUS"), codec::Symbol("PLAIN")});
            line.expect<codec::SaslInit>("ANONYMOUS and PLAIN are offered");
            line.send(peer::sasl_outcome(codec::SaslCode::ok));
            const auto second = line.expect_header("the AMQP header behind the SASL layer");
            line.require(second.is(codec::ProtocolId::amqp), "the AMQP header", "another protocol header");
        } else {
            line.require(first_header.is(codec::ProtocolId::amqp), "the AMQP or SASL header",
                         "another protocol header");
        }
        line.header();
    });
    done_ = Step::greeted;
    return *this;
}

Served& Served::hear_open() {
    if (!is_due(Step::open_heard)) return *this;
    greet();
    line.ordinary([&] { their_open = *next<codec::Open>(); });
    done_ = Step::open_heard;
    return *this;
}

Served& Served::open() {
    if (!is_due(Step::opened)) return *this;
    hear_open();
    line.send(open_frame);
    done_ = Step::opened;
    return *this;
}

Served& Served::hear_begin() {
    if (!is_due(Step::begin_heard)) return *this;
    open();
    line.ordinary([&] {
        auto begin = next<codec::Begin>();
        channel = begin.channel;
        their_begin = std::move(begin.performative);
    });
    done_ = Step::begin_heard;
    return *this;
}

Served& Served::begin() {
    if (!is_due(Step::begun)) return *this;
    hear_begin();
    line.send(begin_frame.remote_channel(channel));
    line.asking.next_incoming_id(their_begin.next_outgoing_id)
        .next_outgoing_id(begin_frame.performative.next_outgoing_id);
    done_ = Step::begun;
    return *this;
}

Served& Served::hear_attach() {
    if (!is_due(Step::attach_heard)) return *this;
    begin();
    line.ordinary([&] {
        for (;;) {
            their_attach = *next<codec::Attach>();
            if (is_meant(their_attach, task)) return;
            line.send(answer_to(their_attach, next_handle_++));
        }
    });
    done_ = Step::attach_heard;
    return *this;
}

Served& Served::attach() {
    if (!is_due(Step::attached)) return *this;
    hear_attach();
    auto ours = answer_to(their_attach, 0);
    if (attaching) attaching(ours);
    line.send(ours);
    done_ = Step::attached;
    return *this;
}

Receiver& Served::receiver() {
    attach();
    if (!receiver_) receiver_.emplace(line, their_begin, their_attach);
    return *receiver_;
}

std::optional<std::uint32_t> Served::credit_in(const Heard& heard, std::uint32_t delivery_count) const {
    const auto flow = heard.as<codec::Flow>();
    if (!flow || flow->handle != their_attach.handle) return std::nullopt;
    const std::uint32_t behind = delivery_count - flow->delivery_count.value_or(delivery_count);
    const std::uint32_t credit = flow->link_credit.value_or(0);
    return credit > behind ? credit - behind : 0;
}

std::uint32_t Served::await_credit() {
    attach();
    std::uint32_t credit = 0;
    line.ordinary([&] {
        while (credit == 0) {
            const Heard heard = line.hear();
            if (heard.kind != Heard::Kind::frame) line.fail("the client gives credit", heard);
            credit = credit_in(heard, 0).value_or(0);
        }
    });
    return credit;
}

void Served::leaves_in_order() {
    line.may_probe = false;
    for (;;) {
        const Heard heard = line.hear();
        if (heard.kind == Heard::Kind::end) {
            t.took("ends the stream without a close", Grade::lenient);
            break;
        }
        if (heard.kind != Heard::Kind::frame || !heard.condition().empty())
            line.fail("the client goes in order", heard);
        if (const auto detach = heard.as<codec::Detach>()) line.send(peer::detach(0).closed(detach->closed));
        if (heard.is(codec::descriptor::end)) line.send(peer::end());
        if (heard.is(codec::descriptor::close)) {
            line.send(peer::close());
            break;
        }
    }
    note_exit();
}

void Served::note_exit() {
    const auto code = t.left(line.timing.ending);
    t.note(code ? "the program's exit code is " + std::to_string(*code) : "the program is still there");
}

Window::Window(Context& t, Task task, std::uint32_t window) : s(t, std::move(task)) {
    s.open_frame.max_frame_size(codec::protocol::min_max_frame_size);
    s.begin_frame.incoming_window(window);
    s.attach();
    start = s.their_begin.next_outgoing_id;
    move(0, window);
}

void Window::move(std::uint32_t come, std::uint32_t window) {
    s.line.send(peer::flow()
                    .next_incoming_id(start + come)
                    .incoming_window(window)
                    .handle(0)
                    .delivery_count(s.their_attach.initial_delivery_count.value_or(0))
                    .link_credit(100));
}

Line& asked_for_sasl(Context& t) {
    Task task = any_task(t);
    task.login = true;
    Line& line = t.called(task);
    line.ordinary([&] {
        const auto header = line.expect_header("its protocol header");
        if (!header.is(codec::ProtocolId::sasl)) t.skip("the client asks for no SASL layer");
    });
    return line;
}

Cases of_clients(Cases cases) {
    for (auto& one : cases) one.mode = Mode::client;
    return cases;
}

}  // namespace aprotic::conform
