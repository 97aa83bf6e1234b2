#pragma once

#include "testkit/stream_channel.hpp"

namespace aprotic::engine::test {

using testing::StreamChannel;

}  // namespace aprotic::engine::test
