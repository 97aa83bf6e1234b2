#include "core/endpoint.hpp"
#include "support/prng.hpp"

#include <catch2/catch.hpp>

#include <aprotic/engine/suspended_link.hpp>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

using namespace aprotic;
using namespace aprotic::test;

namespace {

/// A frame of any kind, legal in itself, that may or may not fit into what went before.
codec::Bytes random_frame(Prng& prng, std::uint32_t delivery_id) {
    const auto handle = static_cast<std::uint32_t>(prng.below(4));
    const codec::Role role = prng.one_in(2) ? codec::Role::sender : codec::Role::receiver;
    switch (prng.below(8)) {
        case 0: return peer::begin().on_channel(static_cast<std::uint16_t>(prng.below(4))).encode(0);
        case 1: {
            auto attach = peer::attach(role, handle, prng.text(1));
            if (prng.one_in(2)) {
                // Attached again, as "in" or "out" may be.
                codec::Map unsettled;
                for (std::uint64_t i = prng.below(4); i > 0; --i) {
                    const codec::DeliveryState state = prng.one_in(2) ? codec::DeliveryState(codec::Accepted{})
                                                                      : codec::DeliveryState(codec::Received{1, 0});
                    const auto tag = prng.text(1);
                    unsettled.append(codec::Binary(codec::as_bytes(tag)),
                                     prng.one_in(3) ? codec::Value() : codec::to_value(state));
                }
                attach.name(role == codec::Role::sender ? "in" : "out");
                attach.performative.unsettled = std::move(unsettled);
                attach.performative.incomplete_unsettled = prng.one_in(4);
            }
            return attach.encode(0);
        }
        case 2: {
            auto flow = peer::flow();
            flow.handle(handle)
                .link_credit(static_cast<std::uint32_t>(prng.next()))
                .drain(prng.one_in(2))
                .echo(prng.one_in(2));
            return flow.encode(0);
        }
        case 3:
        case 4: {
            auto transfer = peer::transfer(handle);
            transfer.delivery_id(delivery_id).delivery_tag(prng.text(1)).more(prng.one_in(3)).aborted(prng.one_in(5));
            if (prng.one_in(4)) transfer.resume();
            return transfer.payload(prng.text(prng.below(50))).encode(0);
        }
        case 5: {
            auto disposition = peer::disposition(role, static_cast<std::uint32_t>(prng.below(3)));
            return disposition.last(static_cast<std::uint32_t>(prng.below(10)))
                .settled(prng.one_in(2))
                .accepted()
                .encode(0);
        }
        case 6: return peer::detach(handle).closed(prng.one_in(2)).encode(0);
        default: return peer::end().encode(0);
    }
}

/// What an application may do at any time, whether it fits or not.
void act(Prng& prng, Endpoint& endpoint, std::vector<LinkId>& links, std::vector<DeliveryId>& deliveries,
         std::vector<std::shared_ptr<SuspendedLink>>& suspended, SessionId session) {
    const LinkId link = links[prng.below(links.size())];
    const DeliveryId delivery = deliveries.empty() ? DeliveryId{} : deliveries[prng.below(deliveries.size())];
    switch (prng.below(9)) {
        case 0:
            if (const auto begun = endpoint.begin_send(link)) deliveries.push_back(*begun);
            break;
        case 1:
            static_cast<void>(
                endpoint.append(delivery, codec::ByteChain(codec::Bytes::from_string(prng.text(prng.below(2000))))));
            break;
        case 2: static_cast<void>(endpoint.finish_send(delivery)); break;
        case 3: static_cast<void>(endpoint.abort_send(delivery)); break;
        case 4:
            if (const auto sent = endpoint.send(link, octets(prng.text(20)))) deliveries.push_back(*sent);
            break;
        case 5: static_cast<void>(endpoint.detach(link, prng.one_in(3))); break;
        case 6: static_cast<void>(endpoint.settle(delivery, codec::Accepted{})); break;
        case 7: static_cast<void>(endpoint.update(delivery, codec::Received{1, 0})); break;
        default: {
            if (suspended.empty()) break;
            LinkOptions again = prng.one_in(2) ? sending("out") : receiving("in");
            again.suspended = suspended[prng.below(suspended.size())];
            if (const auto attached = endpoint.attach(session, again)) links.push_back(*attached);
            break;
        }
    }
    while (const auto event = endpoint.poll_event()) {
        if (const auto* const gone = std::get_if<LinkDetached>(&*event); gone && gone->suspended)
            suspended.push_back(gone->suspended);
        if (const auto* const asked = std::get_if<LinkRequested>(&*event)) {
            LinkOptions ours = prng.one_in(2) ? sending() : receiving();
            ours.resumable = true;
            static_cast<void>(endpoint.accept(asked->link, ours));
        }
        if (const auto* const came = std::get_if<DeliveryReceived>(&*event)) {
            static_cast<void>(endpoint.take(came->delivery));
            deliveries.push_back(came->delivery);
        }
    }
}

}  // namespace

TEST_CASE("parts, suspended links and legal frames in any order never do harm", "[2.6.13-a][2.6.14-a]") {
    for (std::uint64_t seed = 1; seed <= 300; ++seed) {
        Prng prng(seed);
        Scene scene;
        const SessionId session = scene.begin();
        LinkOptions in = receiving("in");
        in.resumable = true;
        in.stream_window = prng.one_in(2) ? 1000 : 0;
        LinkOptions out = sending("out");
        out.resumable = true;
        std::vector<LinkId> links = {scene.attach(session, in), scene.attach(session, out)};
        std::vector<DeliveryId> deliveries;
        std::vector<std::shared_ptr<SuspendedLink>> suspended;
        scene.machine->set_credit(links[0], 5).value();
        static_cast<void>(scene.channel.read({}));
        try {
            for (std::uint32_t i = 0; i < 40; ++i) {
                const codec::Bytes frame = random_frame(prng, i);
                const auto room = scene.machine->prepare_read();
                if (room.empty()) break;
                std::copy_n(frame.data(), frame.size(), room.begin());
                scene.machine->commit_read(frame.size(), scene.machine.now());
                act(prng, scene.machine.engine(), links, deliveries, suspended, session);
                act(prng, scene.machine.engine(), links, deliveries, suspended, session);
                static_cast<void>(scene.machine.take_output(SIZE_MAX));
            }
            scene.machine.cut(peer::Cut::reset);  // checks that it comes to its end
        } catch (const peer::ScriptError& error) {
            FAIL("seed " << seed << ": " << error.what());
        }
    }
}

TEST_CASE("legal frames with random changes never do harm", "[2.3.2-a][2.4.3-b]") {
    for (std::uint64_t seed = 1; seed <= 300; ++seed) {
        Prng prng(seed);
        Scene scene;
        const SessionId session = scene.begin();
        scene.receiver(session, 5, "in");
        scene.sender(session, "out");
        try {
            for (std::uint32_t i = 0; i < 30; ++i) {
                std::string octets(random_frame(prng, i).text());
                if (prng.one_in(4)) octets[8 + prng.below(octets.size() - 8)] = static_cast<char>(prng.next());
                scene.peer.send_raw(octets);
                scene.channel.read({});
            }
            scene.machine.cut(peer::Cut::reset);  // checks that it comes to its end
        } catch (const peer::ScriptError& error) {
            FAIL("seed " << seed << ": " << error.what());
        }
    }
}
