#include <aprotic/engine/core/states.hpp>

#include <array>
#include <cstdint>
#include <initializer_list>

namespace aprotic::engine::core {
namespace {

/// For every state and input the state that follows; none where the input is illegal.
template <std::size_t States, std::size_t Inputs>
using Table = std::array<std::array<std::uint8_t, Inputs>, States>;
constexpr std::uint8_t none = 0xff;

template <class State, class Input>
struct Row {
    State from;
    Input input;
    State to;
};

/// What is not listed is illegal.
template <std::size_t States, std::size_t Inputs, class State, class Input>
constexpr Table<States, Inputs> make_table(std::initializer_list<Row<State, Input>> rows) {
    Table<States, Inputs> table{};
    for (auto& inputs : table) {
        for (std::uint8_t& to : inputs) to = none;
    }
    for (const auto& row : rows) {
        table[static_cast<std::size_t>(row.from)][static_cast<std::size_t>(row.input)] =
            static_cast<std::uint8_t>(row.to);
    }
    return table;
}

template <class State, class Input, std::size_t States, std::size_t Inputs>
std::optional<State> look_up(const Table<States, Inputs>& table, State state, Input input) noexcept {
    const std::uint8_t to = table[static_cast<std::size_t>(state)][static_cast<std::size_t>(input)];
    if (to == none) return std::nullopt;
    return static_cast<State>(to);
}

constexpr auto connection_table = [] {
    using enum ConnectionState;
    using enum ConnectionInput;
    // A peer that closes without having opened breaks 2.4.1-a, but its condition is worth more than our complaint.
    return make_table<connection_state_count, connection_input_count, ConnectionState, ConnectionInput>({
        {start, send_open, open_sent},
        {start, recv_open, open_received},
        {open_sent, recv_open, opened},
        {open_sent, send_frame, open_sent},
        {open_sent, send_close, close_piped},
        {open_sent, send_error_close, discarding},
        {open_sent, recv_close, close_received},
        {open_received, send_open, opened},
        {open_received, recv_frame, open_received},
        {open_received, recv_close, close_unopened},
        {opened, send_frame, opened},
        {opened, recv_frame, opened},
        {opened, send_close, close_sent},
        {opened, send_error_close, discarding},
        {opened, recv_close, close_received},
        {close_piped, recv_open, close_sent},
        {close_piped, recv_close, ended},
        {close_sent, recv_frame, close_sent},
        {close_sent, recv_close, ended},
        {discarding, recv_open, discarding},
        {discarding, recv_frame, discarding},
        {discarding, recv_close, ended},
        {close_unopened, send_open, close_received},
        {close_received, send_frame, close_received},
        {close_received, send_close, ended},
        {close_received, send_error_close, ended},
    });
}();

constexpr auto session_table = [] {
    using enum SessionState;
    using enum SessionInput;
    return make_table<session_state_count, session_input_count, SessionState, SessionInput>({
        {unmapped, send_begin, begin_sent},
        {unmapped, recv_begin, begin_received},
        {begin_sent, recv_begin, mapped},
        {begin_sent, send_frame, begin_sent},
        {begin_sent, send_end, end_sent},
        {begin_sent, send_error_end, discarding},
        {begin_received, send_begin, mapped},
        {begin_received, recv_frame, begin_received},
        {begin_received, recv_end, end_received},
        {mapped, send_frame, mapped},
        {mapped, recv_frame, mapped},
        {mapped, send_end, end_sent},
        {mapped, send_error_end, discarding},
        {mapped, recv_end, end_received},
        {end_sent, recv_begin, end_sent},
        {end_sent, recv_frame, end_sent},
        {end_sent, recv_end, ended},
        {discarding, recv_begin, discarding},
        {discarding, recv_frame, discarding},
        {discarding, recv_end, ended},
        {end_received, send_begin, end_received},
        {end_received, send_frame, end_received},
        {end_received, send_end, ended},
        {end_received, send_error_end, ended},
    });
}();

constexpr auto link_table = [] {
    using enum LinkState;
    using enum LinkInput;
    return make_table<link_state_count, link_input_count, LinkState, LinkInput>({
        {detached, send_attach, attach_sent},
        {detached, recv_attach, attach_received},
        {attach_sent, recv_attach, attached},
        {attach_sent, send_frame, attach_sent},
        {attach_sent, send_detach, detach_sent},
        {attach_sent, send_error_detach, discarding},
        {attach_received, send_attach, attached},
        {attach_received, recv_frame, attach_received},
        {attach_received, recv_detach, detach_received},
        {attached, send_frame, attached},
        {attached, recv_frame, attached},
        {attached, send_detach, detach_sent},
        {attached, send_error_detach, discarding},
        {attached, recv_detach, detach_received},
        {detach_sent, recv_attach, detach_sent},
        {detach_sent, recv_frame, detach_sent},
        {detach_sent, recv_detach, ended},
        {discarding, recv_attach, discarding},
        {discarding, recv_frame, discarding},
        {discarding, recv_detach, ended},
        {detach_received, send_attach, detach_received},
        {detach_received, send_detach, ended},
        {detach_received, send_error_detach, ended},
    });
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
        "detached",    "attach_sent", "attach_received", "attached",
        "detach_sent", "discarding",  "detach_received", "ended"};
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
