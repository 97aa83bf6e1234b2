#include "conform/steps.hpp"

#include <algorithm>

namespace aprotic::conform {

std::string text_of(const codec::Performative& performative) { return codec::to_string(performative); }

Receiver::Receiver(Context& t, const peer::AttachFrame& ours) : Receiver(t.opened(), ours) {}

Receiver::Receiver(Line& on, const peer::AttachFrame& ours) : line(on), begin(on.begin()) {
    attach = *line.attach_receiver(ours);
    next_incoming_id = begin.next_outgoing_id;
    delivery_count = attach.initial_delivery_count.value_or(0);
}

Receiver::Receiver(Line& on, codec::Begin theirs, codec::Attach of_link)
    : line(on),
      begin(std::move(theirs)),
      attach(std::move(of_link)),
      next_incoming_id(begin.next_outgoing_id),
      delivery_count(attach.initial_delivery_count.value_or(0)) {}

peer::FlowFrame Receiver::flow(std::uint32_t credit) const {
    auto frame = peer::flow();
    frame.next_incoming_id(next_incoming_id).handle(0).delivery_count(delivery_count).link_credit(credit);
    return frame;
}

std::optional<Arrived> Receiver::next(Duration patience, std::string_view why) {
    Arrived arrived;
    for (;;) {
        const Heard heard = line.hear(arrived.frames > 0 ? line.timing.answer : patience);
        if (heard.kind == Heard::Kind::nothing && arrived.frames == 0) return std::nullopt;
        const bool passed_over =
            heard.kind == Heard::Kind::frame &&
            (heard.view.empty() || heard.is(codec::descriptor::flow) || heard.is(codec::descriptor::disposition));
        if (passed_over) continue;
        auto transfer = heard.as<codec::Transfer>();
        if (!transfer || transfer->handle != attach.handle) line.fail("deliveries: " + std::string(why), heard);
        ++next_incoming_id;
        arrived.settled = arrived.settled || transfer->settled.value_or(false);
        arrived.aborted = arrived.aborted || transfer->aborted;
        arrived.octets += codec::as_text(heard.view.payload);
        const bool more = transfer->more && !transfer->aborted;
        if (arrived.frames++ == 0) {
            arrived.first = std::move(*transfer);
            ++delivery_count;
        } else if (transfer->delivery_id && transfer->delivery_id != arrived.first.delivery_id) {
            line.fail("frames of one delivery until it is whole [2.6.14-c]", heard);
        }
        if (!more) return arrived;
    }
}

Arrived Receiver::take(std::string_view why) {
    auto arrived = next(line.timing.answer, why);
    if (!arrived) line.fail("a delivery: " + std::string(why), Heard());
    return std::move(*arrived);
}

std::vector<Arrived> Receiver::take_all() {
    std::vector<Arrived> all;
    while (auto arrived = next(line.timing.quiet * 4, "or nothing")) all.push_back(std::move(*arrived));
    return all;
}

void Receiver::settle(const Arrived& delivery, codec::DeliveryState state) {
    // A source names the outcomes that may be chosen; without a list any may. [3.5.3-l]
    const auto& offered = attach.source->outcomes;
    const bool is_outcome = codec::is_terminal(state) && !std::holds_alternative<codec::TransactionalState>(state);
    const std::string name = "amqp:" + std::string(codec::name_of(state)) + ":list";
    if (is_outcome && !offered.empty() && std::ranges::count(offered, codec::Symbol(name)) == 0)
        throw Finding{Verdict::unimplemented, "", "the peer's source has no outcome " + name};
    line.send(peer::disposition(codec::Role::receiver, delivery.id()).settled().state(std::move(state)));
}

void Receiver::expect_deliveries(std::size_t wanted, const std::string& why) {
    const std::size_t came = take_all().size();
    line.require(came == wanted, std::to_string(wanted) + " deliveries: " + why, std::to_string(came) + " deliveries");
}

void expect_all_or_none(Context& t, Receiver& receiver) {
    const std::size_t came = receiver.take_all().size();
    // The delivery-limit compares with the delivery-count as a serial number, which 2^31 ahead is no longer ahead.
    // [2.6.7-g]
    if (came == 0) return t.took("takes it for no credit", Grade::lenient);
    receiver.line.require(came == 5, "5 deliveries: there is credit for all", std::to_string(came) + " deliveries");
}

codec::Flow Receiver::expect_flow(std::string_view why) {
    for (;;) {
        auto flow = line.expect<codec::Flow>(why);
        if (flow->handle == attach.handle) return std::move(flow.performative);
    }
}

codec::Message message_in(Receiver& receiver, const Arrived& delivery) {
    auto message = codec::decode_message(codec::as_bytes(delivery.octets));
    if (!message) receiver.line.fail("a delivery that is a message", message.error().message());
    return std::move(*message);
}

std::string text_in(Receiver& receiver, const Arrived& delivery) {
    const codec::Message message = message_in(receiver, delivery);
    const auto* value = std::get_if<codec::Value>(&message.body);
    return std::string(value == nullptr ? "" : value->to_text().value_or(""));
}

unsigned transfers_until_quiet(Line& line) {
    for (unsigned count = 0;;) {
        const Heard heard = line.hear(line.timing.quiet * 3);
        if (heard.kind == Heard::Kind::nothing) return count;
        if (heard.is(codec::descriptor::transfer)) {
            ++count;
        } else if (heard.kind != Heard::Kind::frame || heard.is(codec::descriptor::end) ||
                   heard.is(codec::descriptor::close) || heard.is(codec::descriptor::detach)) {
            line.fail("transfers, as many as the window allows", heard);
        }
    }
}

void expect_transfers(Line& line, unsigned wanted, const std::string& why) {
    const unsigned came = transfers_until_quiet(line);
    line.require(came == wanted, std::to_string(wanted) + " transfers: " + why, std::to_string(came) + " transfers");
}

Windowed receiving_through(Context& t, std::uint32_t window, unsigned messages) {
    const std::string address = t.queue();
    t.fill(address, messages);
    Line& line = t.opened();
    codec::Begin begin = line.begin(0, peer::begin().incoming_window(window));
    line.attach_receiver(t.receiver(address));
    line.send(peer::flow()
                  .next_incoming_id(begin.next_outgoing_id)
                  .incoming_window(window)
                  .handle(0)
                  .delivery_count(0)
                  .link_credit(100));
    return {line, begin};
}

void send_settled(Line& line, std::uint32_t window, std::uint32_t count) {
    for (std::uint32_t sent = 0, credit = line.credit;;) {
        std::string octets;
        for (; credit > 0 && window > 0 && sent < count; --credit, --window, ++sent)
            octets += codec::as_text(Context::delivery(line).settled().encode(0).span());
        if (!octets.empty()) line.raw(octets);
        if (sent == count) return;
        const auto flow = line.expect<codec::Flow>("it gives credit and window again");
        window = flow->next_incoming_id.value_or(0) + flow->incoming_window - sent;
        if (flow->handle) credit = flow->delivery_count.value_or(0) + flow->link_credit.value_or(0) - sent;
    }
}

codec::Disposition outcome_of(Line& line, std::uint32_t id) {
    for (;;) {
        auto disposition = line.expect<codec::Disposition>("it tells the outcome of delivery " + std::to_string(id));
        const auto& d = *disposition;
        const bool meant = d.role == codec::Role::receiver && id - d.first <= d.last.value_or(d.first) - d.first;
        if (meant && (d.settled || (d.state && codec::is_terminal(*d.state))))
            return std::move(disposition.performative);
    }
}

bool is_accepted(const std::optional<codec::DeliveryState>& state) {
    return state && std::holds_alternative<codec::Accepted>(*state);
}

void expect_accepted(Line& line, std::uint32_t id, const std::string& why) {
    const auto outcome = outcome_of(line, id);
    line.require(is_accepted(outcome.state), "accepted: " + why, text_of(outcome));
}

Heard answer_to_delivery(Line& line, const Reactions& reactions) {
    line.may_probe = false;
    return line.accept_one_of(reactions);
}

void expect_unanswered(Context& t, Line& line) {
    for (;;) {
        const Heard heard = line.hear(t.timing().quiet * 4);
        if (heard.kind == Heard::Kind::nothing) return;
        if (heard.is(codec::descriptor::disposition)) t.took("answers what was sent settled", Grade::lenient);
        const bool passed_over =
            heard.kind == Heard::Kind::frame &&
            (heard.view.empty() || heard.is(codec::descriptor::flow) || heard.is(codec::descriptor::disposition));
        if (!passed_over) line.fail("nothing: what is settled needs no answer", heard);
    }
}

void expect_second_answered(Context& t, Line& line) {
    for (;;) {
        const auto disposition = line.expect<codec::Disposition>("of the second delivery");
        if (disposition->first == 0) t.took("answers what was sent settled", Grade::lenient);
        const std::uint32_t last = disposition->last.value_or(disposition->first);
        if (last == 1) return;
        line.require(last == 0, "a disposition of delivery 1", text_of(*disposition));
    }
}

namespace {

template <class State>
Reaction disposes(std::string name, std::function<bool(const State&)> fits = {}) {
    return answers<codec::Disposition>(std::move(name), [fits = std::move(fits)](const codec::Disposition& d) {
        const auto* state = d.state ? std::get_if<State>(&*d.state) : nullptr;
        return state != nullptr && (!fits || fits(*state));
    });
}

}  // namespace

Reaction accepts_delivery() { return disposes<codec::Accepted>("accepts the delivery"); }

Reaction releases_delivery() { return disposes<codec::Released>("releases the delivery"); }

Reaction rejects_delivery(Conditions conditions) {
    std::string name = "rejects the delivery";
    for (const auto condition : conditions)
        name += (condition == *conditions.begin() ? " with " : " or ") + std::string(condition);
    const std::vector<std::string> wanted(conditions.begin(), conditions.end());
    return disposes<codec::Rejected>(name, [wanted](const codec::Rejected& rejected) {
        return wanted.empty() || (rejected.error && std::ranges::count(wanted, rejected.error->condition.str()) != 0);
    });
}

Reactions refuses_link(Conditions conditions) {
    return {detaches(conditions), detaches().lenient(), ends().lenient(), closes().lenient(), drops()};
}

peer::TransferFrame delivery_of(Line& line, std::string_view octets) {
    auto frame = Context::delivery(line);
    frame.octets = {};
    frame.payload(octets);
    return frame;
}

void put(Context& t, const std::string& octets) {
    Line& line = t.sending(t.queue());
    line.send(delivery_of(line, octets));
    expect_accepted(line, line.next_delivery_id - 1, "the message is a legal one");
    line.finish();
}

std::string through(Context& t, const std::string& octets) {
    put(t, octets);
    Receiver receiver(t, t.queue());
    receiver.grant(1);
    const Arrived arrived = receiver.take("the message that was accepted");
    receiver.settle(arrived, codec::Accepted{});
    receiver.line.finish();
    return arrived.octets;
}

peer::AttachFrame sender_to(codec::AttachTarget target, std::uint32_t handle, std::string name) {
    auto ours = peer::attach(codec::Role::sender, handle, std::move(name));
    ours.performative.target = std::move(target);
    return ours;
}

peer::AttachFrame receiver_from(codec::Source source, std::uint32_t handle, std::string name) {
    auto ours = peer::attach(codec::Role::receiver, handle, std::move(name));
    ours.source(std::move(source));
    return ours;
}

}  // namespace aprotic::conform
