// Replays a corpus with any compiler: each argument is a file, or a folder of files, given to the target once.
// `--random N` gives it N inputs of octets that are the same every time.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

std::vector<std::filesystem::path> files_of(const std::filesystem::path& where) {
    if (!std::filesystem::is_directory(where)) return {where};
    std::vector<std::filesystem::path> files;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(where)) {
        if (entry.is_regular_file()) files.push_back(entry.path());
    }
    std::sort(files.begin(), files.end());
    return files;
}

/// splitmix64
std::uint64_t next(std::uint64_t& state) {
    std::uint64_t z = (state += 0x9e37'79b9'7f4a'7c15);
    z = (z ^ (z >> 30U)) * 0xbf58'476d'1ce4'e5b9;
    z = (z ^ (z >> 27U)) * 0x94d0'49bb'1331'11eb;
    return z ^ (z >> 31U);
}

std::size_t run_random(std::size_t inputs) {
    std::uint64_t state = 1;
    for (std::size_t i = 0; i < inputs; ++i) {
        std::vector<std::uint8_t> octets(next(state) % 400);
        for (std::uint8_t& octet : octets) octet = static_cast<std::uint8_t>(next(state));
        std::printf("random input %zu (%zu bytes)\n", i, octets.size());
        std::fflush(stdout);
        LLVMFuzzerTestOneInput(octets.data(), octets.size());
    }
    return inputs;
}

}  // namespace

int main(int argc, char** argv) {
    std::size_t inputs = 0;
    for (int i = 1; i < argc; ++i) {
        if (std::string(argv[i]) == "--random" && i + 1 < argc) {
            inputs += run_random(std::stoul(argv[++i]));
            continue;
        }
        for (const auto& path : files_of(argv[i])) {
            std::ifstream file(path, std::ios::binary);
            if (!file) {
                std::fprintf(stderr, "cannot read %s\n", path.c_str());
                return 2;
            }
            const std::string bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
            // Said before, so that a crash names its input.
            std::printf("%s (%zu bytes)\n", path.c_str(), bytes.size());
            std::fflush(stdout);
            LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
            ++inputs;
        }
    }
    std::printf("%zu inputs\n", inputs);
    return inputs > 0 ? 0 : 2;
}
