#pragma once

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <vector>

namespace aprotic::test {

inline std::string read_text(const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    if (!file) throw std::runtime_error("cannot read " + path.string());
    return {std::istreambuf_iterator<char>(file), {}};
}

inline std::vector<std::byte> read_octets(const std::filesystem::path& path) {
    const std::string text = read_text(path);
    std::vector<std::byte> octets(text.size());
    std::transform(text.begin(), text.end(), octets.begin(), [](char c) { return static_cast<std::byte>(c); });
    return octets;
}

/// All files below `folder` whose name ends in `suffix`, in the order of their names.
inline std::vector<std::filesystem::path> files_below(const std::filesystem::path& folder, const std::string& suffix) {
    std::vector<std::filesystem::path> files;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
        if (entry.is_regular_file() && entry.path().filename().string().ends_with(suffix))
            files.push_back(entry.path());
    }
    std::sort(files.begin(), files.end());
    return files;
}

}  // namespace aprotic::test
