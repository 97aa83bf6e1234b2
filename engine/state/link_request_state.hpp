#pragma once

#include <memory>
#include <utility>

#include <aprotic/engine/connection.hpp>
#include <aprotic/engine/state/connection_state.hpp>

namespace aprotic::engine {

struct LinkRequest::State {
    State(std::weak_ptr<ConnectionState> its_connection, LinkId its_link, codec::Attach attach)
        : connection(std::move(its_connection)), link(its_link), remote(std::move(attach)) {}

    std::weak_ptr<ConnectionState> connection;
    LinkId link;
    codec::Attach remote;
    bool answered = false;
};

}  // namespace aprotic::engine
