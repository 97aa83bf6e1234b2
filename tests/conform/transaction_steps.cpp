#include "conform/transaction_steps.hpp"

#include <algorithm>

#include "conform/wire.hpp"

namespace aprotic::conform {
namespace {

using codec::Binary;

}  // namespace

std::string declare_body(const codec::Value& global_id) {
    return wire::value_body(wire::described(codec::descriptor::declare, wire::list({wire::value(global_id)})));
}
std::string discharge_body(const codec::Value& txn_id, bool fail) {
    return wire::value_body(
        wire::described(codec::descriptor::discharge, wire::list({wire::value(txn_id), wire::value(fail)})));
}

Controller::Controller(Context& t, Line& on) : line(on) {
    codec::Source source;
    source.outcomes = {codec::Symbol("amqp:accepted:list"), codec::Symbol("amqp:rejected:list"),
                       codec::Symbol("amqp:declared:list")};
    auto ours = sender_to(codec::Coordinator{{codec::Symbol(codec::txn_capability::local_transactions)}}, own_handle,
                          "control");
    ours.source(source);
    line.send(ours);
    const Heard heard = line.hear();
    auto attach = heard.as<codec::Attach>();
    const auto* coordinator = attach && attach->target ? std::get_if<codec::Coordinator>(&*attach->target) : nullptr;
    if (coordinator == nullptr) t.skip("the peer has no coordinator: " + heard.text());
    capabilities = coordinator->capabilities;
    handle = attach->handle;
    for (bool granted = false; !granted;) {
        const auto flow = line.expect<codec::Flow>("the coordinator gives credit");
        granted = flow->handle == handle && flow->link_credit.value_or(0) > 0;
    }
}

bool Controller::offers(std::string_view capability) const {
    return std::ranges::any_of(capabilities, [&](const codec::Symbol& one) { return one == capability; });
}

peer::TransferFrame Controller::message(const std::string& octets) {
    const std::uint32_t id = line.next_delivery_id++;
    return peer::transfer(own_handle)
        .delivery_id(id)
        .delivery_tag("control-" + std::to_string(id))
        .message_format(0)
        .payload(octets);
}

codec::Disposition Controller::ask(const std::string& octets) {
    const auto frame = message(octets);
    line.send(frame);
    return outcome_of(line, *frame.performative.delivery_id);
}

Binary Controller::declare() {
    const auto outcome = ask(declare_body());
    const auto* declared = outcome.state ? std::get_if<codec::Declared>(&*outcome.state) : nullptr;
    line.require(declared != nullptr, "declared", text_of(outcome));
    if (!outcome.settled) line.send(settled(outcome.first));
    return declared->txn_id;
}

void Controller::discharge(const Binary& txn, bool fail) {
    const auto outcome = ask(discharge_body(txn, fail));
    line.require(is_accepted(outcome.state), fail ? "the rollback is accepted" : "the commit is accepted",
                 text_of(outcome));
}

peer::DispositionFrame Controller::settled(std::uint32_t id) {
    return peer::disposition(codec::Role::sender, id).settled();
}

Reactions refuses_transaction(Conditions conditions) {
    return {rejects_delivery(conditions),
            detaches(conditions),
            rejects_delivery().lenient(),
            detaches().lenient(),
            ends().lenient(),
            closes().lenient(),
            drops()};
}

}  // namespace aprotic::conform
