#include "core/endpoint.hpp"
#include "support/prng.hpp"

#include <catch2/catch.hpp>

#include <cstdint>
#include <string>

using namespace aprotic;
using namespace aprotic::test;

namespace {

/// A frame of any kind, legal in itself, that may or may not fit into what went before.
codec::Bytes random_frame(Prng& prng, std::uint32_t delivery_id) {
    const auto handle = static_cast<std::uint32_t>(prng.below(4));
    const codec::Role role = prng.one_in(2) ? codec::Role::sender : codec::Role::receiver;
    switch (prng.below(8)) {
        case 0: return peer::begin().on_channel(static_cast<std::uint16_t>(prng.below(4))).encode(0);
        case 1: return peer::attach(role, handle, prng.text(1)).encode(0);
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

}  // namespace

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
