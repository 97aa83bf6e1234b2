#include "conform/context.hpp"
#include "conform/suite.hpp"

namespace aprotic::conform {

Cases sessions() {
    return {
        {.id = "2.5.1-b",
         .rule = "A begin is answered by a begin that names the channel it answers.",
         .sends = "begin on channel 0",
         .accepts = "begin with remote-channel 0",
         .tags = {"control"},
         .run =
             [](Context& t) {
                 Line& line = t.opened();
                 line.send(peer::begin());
                 const auto begin = line.expect<codec::Begin>();
                 line.require(begin->remote_channel == 0, "a begin with remote-channel 0",
                              codec::to_string(codec::Performative(*begin)));
             }},
    };
}

}  // namespace aprotic::conform
