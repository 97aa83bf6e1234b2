#include <aprotic/engine/core/states.hpp>

#include <array>
#include <cstdint>

namespace aprotic::engine::core {
namespace {

/// Rows are states, columns inputs, both in the order of their enums. `no` marks what is illegal.
constexpr std::uint8_t no = 0xff;
template <std::size_t States, std::size_t Inputs>
using Transitions = std::array<std::array<std::uint8_t, Inputs>, States>;

template <class State>
constexpr std::uint8_t to(State state) noexcept {
    return static_cast<std::uint8_t>(state);
}

template <class State, class Input, std::size_t States, std::size_t Inputs>
std::optional<State> look_up(const Transitions<States, Inputs>& table, State state, Input input) noexcept {
    const std::uint8_t result = table[static_cast<std::size_t>(state)][static_cast<std::size_t>(input)];
    if (result == no) return std::nullopt;
    return static_cast<State>(result);
}

constexpr auto connection_table = [] {
    using enum ConnectionState;
    Transitions<connection_state_count, connection_input_count> table{};
    // A peer that closes without having opened breaks 2.4.1-a, but its condition is worth more than our complaint.
    //                            send_open           recv_open        send_frame          recv_frame         send_close       send_error_close recv_close
    table[to(start)] =           {to(open_sent),      to(open_received), no,               no,                no,              no,              no};
    table[to(open_sent)] =       {no,                 to(opened),      to(open_sent),      no,                to(close_piped), to(discarding),  to(close_received)};
    table[to(open_received)] =   {to(opened),         no,              no,                 to(open_received), no,              no,              to(close_unopened)};
    table[to(opened)] =          {no,                 no,              to(opened),         to(opened),        to(close_sent),  to(discarding),  to(close_received)};
    table[to(close_piped)] =     {no,                 to(close_sent),  no,                 no,                no,              no,              to(ended)};
    table[to(close_sent)] =      {no,                 no,              no,                 to(close_sent),    no,              no,              to(ended)};
    table[to(discarding)] =      {no,                 to(discarding),  no,                 to(discarding),    no,              no,              to(ended)};
    table[to(close_unopened)] =  {to(close_received), no,              no,                 no,                no,              no,              no};
    table[to(close_received)] =  {no,                 no,              to(close_received), no,                to(ended),       to(ended),       no};
    table[to(ended)] =           {no,                 no,              no,                 no,                no,              no,              no};
    return table;
}();

constexpr auto session_table = [] {
    using enum SessionState;
    Transitions<session_state_count, session_input_count> table{};
    //                           send_begin        recv_begin          send_frame        recv_frame          send_end      send_error_end  recv_end
    table[to(unmapped)] =       {to(begin_sent),   to(begin_received), no,               no,                 no,           no,             no};
    table[to(begin_sent)] =     {no,               to(mapped),         to(begin_sent),   no,                 to(end_sent), to(discarding), no};
    table[to(begin_received)] = {to(mapped),       no,                 no,               to(begin_received), no,           no,             to(end_received)};
    table[to(mapped)] =         {no,               no,                 to(mapped),       to(mapped),         to(end_sent), to(discarding), to(end_received)};
    table[to(end_sent)] =       {no,               to(end_sent),       no,               to(end_sent),       no,           no,             to(ended)};
    table[to(discarding)] =     {no,               to(discarding),     no,               to(discarding),     no,           no,             to(ended)};
    table[to(end_received)] =   {to(end_received), no,                 to(end_received), no,                 to(ended),    to(ended),      no};
    table[to(ended)] =          {no,               no,                 no,               no,                 no,           no,             no};
    return table;
}();

constexpr auto link_table = [] {
    using enum LinkState;
    Transitions<link_state_count, link_input_count> table{};
    //                            send_attach          recv_attach          send_frame       recv_frame           send_detach      send_error_detach recv_detach
    table[to(detached)] =        {to(attach_sent),     to(attach_received), no,              no,                  no,              no,               no};
    table[to(attach_sent)] =     {no,                  to(attached),        to(attach_sent), no,                  to(detach_sent), to(discarding),   no};
    table[to(attach_received)] = {to(attached),        no,                  no,              to(attach_received), no,              no,               to(detach_received)};
    table[to(attached)] =        {no,                  no,                  to(attached),    to(attached),        to(detach_sent), to(discarding),   to(detach_received)};
    table[to(detach_sent)] =     {no,                  to(detach_sent),     no,              to(detach_sent),     no,              no,               to(ended)};
    table[to(discarding)] =      {no,                  to(discarding),      no,              to(discarding),      no,              no,               to(ended)};
    table[to(detach_received)] = {to(detach_received), no,                  no,              no,                  to(ended),       to(ended),        no};
    table[to(ended)] =           {no,                  no,                  no,              no,                  no,              no,               no};
    return table;
}();

}  // namespace

std::optional<ConnectionState> next(ConnectionState state, ConnectionInput input) noexcept {
    return look_up(connection_table, state, input);
}
std::optional<SessionState> next(SessionState state, SessionInput input) noexcept {
    return look_up(session_table, state, input);
}
std::optional<LinkState> next(LinkState state, LinkInput input) noexcept { return look_up(link_table, state, input); }

std::string_view name_of(ConnectionState state) noexcept {
    constexpr std::array<std::string_view, connection_state_count> names = {
        "start",      "open_sent",  "open_received",  "opened",         "close_piped",
        "close_sent", "discarding", "close_unopened", "close_received", "ended"};
    return names[static_cast<std::size_t>(state)];
}
std::string_view name_of(SessionState state) noexcept {
    constexpr std::array<std::string_view, session_state_count> names = {
        "unmapped", "begin_sent", "begin_received", "mapped", "end_sent", "discarding", "end_received", "ended"};
    return names[static_cast<std::size_t>(state)];
}
std::string_view name_of(LinkState state) noexcept {
    constexpr std::array<std::string_view, link_state_count> names = {
        "detached", "attach_sent", "attach_received", "attached", "detach_sent", "discarding", "detach_received", "ended"};
    return names[static_cast<std::size_t>(state)];
}
std::string_view name_of(ConnectionInput input) noexcept {
    constexpr std::array<std::string_view, connection_input_count> names = {
        "send_open", "recv_open", "send_frame", "recv_frame", "send_close", "send_error_close", "recv_close"};
    return names[static_cast<std::size_t>(input)];
}
std::string_view name_of(SessionInput input) noexcept {
    constexpr std::array<std::string_view, session_input_count> names = {
        "send_begin", "recv_begin", "send_frame", "recv_frame", "send_end", "send_error_end", "recv_end"};
    return names[static_cast<std::size_t>(input)];
}
std::string_view name_of(LinkInput input) noexcept {
    constexpr std::array<std::string_view, link_input_count> names = {
        "send_attach", "recv_attach", "send_frame", "recv_frame", "send_detach", "send_error_detach", "recv_detach"};
    return names[static_cast<std::size_t>(input)];
}

}  // namespace aprotic::engine::core
