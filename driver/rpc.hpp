#pragma once

// Everything for RPC. With Asio's completion tokens: <aprotic/driver/asio_tokens.hpp> too.

#include <chrono>

#include <aprotic/driver/config.hpp>
#include <aprotic/driver/dispatcher.hpp>
#include <aprotic/driver/error.hpp>
#include <aprotic/driver/json.hpp>
#include <aprotic/driver/rpc_client.hpp>
#include <aprotic/driver/rpc_server.hpp>
#include <aprotic/driver/target.hpp>
#include <aprotic/driver/transport.hpp>
#include <aprotic/driver/transport_url.hpp>

namespace aprotic::driver {

// `5s` with nothing but `using namespace aprotic::driver`.
using std::chrono_literals::operator""min;
using std::chrono_literals::operator""s;
using std::chrono_literals::operator""ms;

}  // namespace aprotic::driver
