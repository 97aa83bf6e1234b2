#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include <aprotic/codec/frame.hpp>
#include <aprotic/codec/message.hpp>

#include "support/golden.hpp"

namespace aprotic::test {

/// One frame that Python's oslo.messaging sent, and the message in it.
struct Captured {
    std::vector<std::byte> octets;
    codec::FrameView frame;

    explicit Captured(const std::string& kind)
        : octets(read_octets(std::filesystem::path(APROTIC_CAPTURES_DIR) / (kind + ".bin"))) {
        const auto step = codec::FrameParser(1 << 20).next(octets);
        REQUIRE(step.status == codec::FrameParser::Status::frame);
        frame = step.frame;
    }
    Captured(const Captured&) = delete;
    Captured& operator=(const Captured&) = delete;

    template <class T>
    T performative() const {
        auto read = frame.as<T>();
        REQUIRE(read);
        return *read;
    }
    codec::Message message() const {
        auto read = codec::decode_message(frame.payload);
        REQUIRE(read);
        return *read;
    }
    std::string text() const { return *std::get<codec::Value>(message().body).get_if<std::string>(); }
};

}  // namespace aprotic::test
