#pragma once

#include <aprotic/codec/decoder.hpp>
#include <aprotic/codec/dump.hpp>
#include <aprotic/codec/frame.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace aprotic::codec {

/// The lines of a dump, in one of its forms. `at` is where in the input the thing is.
class Report {
public:
    virtual ~Report() = default;

    virtual void header(std::uint64_t at, const ProtocolHeader& header) = 0;
    /// A frame whose body is read from `body` as far as that goes.
    virtual void frame(std::uint64_t at, const FrameView& frame, Decoder& body) = 0;
    /// The next value of `from`: a section of a message (`inner`: of a message within a frame) or just a value.
    virtual void value(std::uint64_t at, Decoder& from, bool inner) = 0;
    /// The sections that follow are of a message that came in several frames; their offsets count from its start.
    virtual void delivery(std::uint64_t at, std::size_t octets) = 0;
    virtual void fault(std::uint64_t at, Errc fault) = 0;
    /// The input ends within a frame or a header of so many octets.
    virtual void incomplete(std::uint64_t at, std::string_view what, std::size_t octets, std::size_t wanted) = 0;
    /// Octets that were not there, or that were skipped in search of a frame.
    virtual void missing(std::uint64_t at, std::uint64_t octets) = 0;
    virtual void skipped(std::uint64_t at, std::uint64_t octets) = 0;

    /// The lines so far.
    virtual std::string take() = 0;
};

std::unique_ptr<Report> make_report(const DumpOptions& options);

}  // namespace aprotic::codec
