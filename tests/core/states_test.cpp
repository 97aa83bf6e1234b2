#include <aprotic/engine/core/states.hpp>

#include <catch2/catch.hpp>

#include <string>
#include <string_view>

using namespace aprotic::engine::core;

namespace {

/// The whole table as text: a row per state, "input>state" for what is legal. What is not listed is illegal.
template <class State, class Input>
std::string table(std::size_t states, std::size_t inputs) {
    std::string text;
    for (std::size_t s = 0; s < states; ++s) {
        const auto state = static_cast<State>(s);
        text += std::string(name_of(state)) + ":";
        for (std::size_t i = 0; i < inputs; ++i) {
            const auto input = static_cast<Input>(i);
            if (const auto to = next(state, input))
                text += " " + std::string(name_of(input)) + ">" + std::string(name_of(*to));
        }
        text += "\n";
    }
    return text;
}

}  // namespace

TEST_CASE("every state and input of a connection is as the diagram says", "[2.4.6-a]") {
    CHECK(table<ConnectionState, ConnectionInput>(connection_state_count, connection_input_count) ==
          "start: send_open>open_sent recv_open>open_received\n"
          "open_sent: recv_open>opened send_frame>open_sent send_close>close_piped send_error_close>discarding "
          "recv_close>close_received\n"
          "open_received: send_open>opened recv_frame>open_received recv_close>close_unopened\n"
          "opened: send_frame>opened recv_frame>opened send_close>close_sent send_error_close>discarding "
          "recv_close>close_received\n"
          "close_piped: recv_open>close_sent recv_close>ended\n"
          "close_sent: recv_frame>close_sent recv_close>ended\n"
          "discarding: recv_open>discarding recv_frame>discarding recv_close>ended\n"
          "close_unopened: send_open>close_received\n"
          "close_received: send_frame>close_received send_close>ended send_error_close>ended\n"
          "ended:\n");
}

TEST_CASE("every state and input of a session is as the diagram says", "[2.5.5-a]") {
    CHECK(table<SessionState, SessionInput>(session_state_count, session_input_count) ==
          "unmapped: send_begin>begin_sent recv_begin>begin_received\n"
          "begin_sent: recv_begin>mapped send_frame>begin_sent send_end>end_sent send_error_end>discarding\n"
          "begin_received: send_begin>mapped recv_frame>begin_received recv_end>end_received\n"
          "mapped: send_frame>mapped recv_frame>mapped send_end>end_sent send_error_end>discarding "
          "recv_end>end_received\n"
          "end_sent: recv_begin>end_sent recv_frame>end_sent recv_end>ended\n"
          "discarding: recv_begin>discarding recv_frame>discarding recv_end>ended\n"
          "end_received: send_begin>end_received send_frame>end_received send_end>ended send_error_end>ended\n"
          "ended:\n");
}

TEST_CASE("every state and input of a link is as the text says", "[2.6.3-a][2.6.4-a][2.6.6-a]") {
    CHECK(table<LinkState, LinkInput>(link_state_count, link_input_count) ==
          "detached: send_attach>attach_sent recv_attach>attach_received\n"
          "attach_sent: recv_attach>attached send_frame>attach_sent send_detach>detach_sent "
          "send_error_detach>discarding\n"
          "attach_received: send_attach>attached recv_frame>attach_received recv_detach>detach_received\n"
          "attached: send_frame>attached recv_frame>attached send_detach>detach_sent send_error_detach>discarding "
          "recv_detach>detach_received\n"
          "detach_sent: recv_attach>detach_sent recv_frame>detach_sent recv_detach>ended\n"
          "discarding: recv_attach>discarding recv_frame>discarding recv_detach>ended\n"
          "detach_received: send_attach>detach_received send_detach>ended send_error_detach>ended\n"
          "ended:\n");
}
