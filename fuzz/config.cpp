// Configuration files of any content: read or refused in one line, and what was read can be shown.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include <aprotic/driver/config.hpp>
#include <aprotic/driver/notifier.hpp>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const auto config = aprotic::driver::Config::parse(text, "file");
    if (!config) {
        if (config.error().empty() || config.error().find('\n') != std::string::npos) std::abort();
        return 0;
    }
    const auto settings = config->settings();
    if (!settings || settings->empty()) std::abort();
    for (const auto& setting : *settings)
        if (setting.info.secret && !setting.value.empty() && setting.value != "***") std::abort();
    static_cast<void>(config->notifier());
    return 0;
}
