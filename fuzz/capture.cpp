// Any octets as a packet capture: pcap and pcapng, the packets in it, TCP streams, the AMQP in these.
#include <aprotic/codec/assert.hpp>
#include <aprotic/driver/cli/capture/capture_dump.hpp>

#include <cstdint>

using namespace aprotic;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::span<const std::byte> input(reinterpret_cast<const std::byte*>(data), size);
    for (const codec::DumpForm form : {codec::DumpForm::text, codec::DumpForm::json}) {
        std::size_t lines = 0;
        driver::cli::CaptureDump capture(
            [&](std::string_view text) {
                ++lines;
                APROTIC_ASSERT(text.ends_with('\n') && (form == codec::DumpForm::text || text.starts_with('{')));
            },
            {.form = form}, {5672});
        capture.run(input);
        APROTIC_ASSERT(capture.connections() <= capture.segments() && capture.segments() <= capture.packets());
        APROTIC_ASSERT(lines >= capture.frames());
        APROTIC_ASSERT(capture.ok() || lines > 0);
    }
    return 0;
}
