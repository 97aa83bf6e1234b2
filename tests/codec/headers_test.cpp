// What it costs to include the codec: the standard library's heavy headers stay out of what a message needs.
#include <catch2/catch.hpp>

#include <fstream>
#include <iterator>
#include <set>
#include <string>

namespace {

/// Every header that `name` includes, directly or through others of the codec.
void collect(const std::string& name, std::set<std::string>& headers) {
    if (!headers.insert(name).second || !name.starts_with("aprotic/codec/")) return;
    std::ifstream file(APROTIC_TEST_DATA_DIR "/../../codec/" + name.substr(std::string("aprotic/codec/").size()));
    REQUIRE(file);
    const std::string prefix = "#include <";
    for (std::string line; std::getline(file, line);) {
        if (line.starts_with(prefix)) collect(line.substr(prefix.size(), line.find('>') - prefix.size()), headers);
    }
}

}  // namespace

TEST_CASE("including a message does not bring the heavy half of the standard library") {
    std::set<std::string> headers;
    collect("aprotic/codec/message_view.hpp", headers);
    CHECK(headers.contains("aprotic/codec/bytes.hpp"));
    for (const char* heavy : {"algorithm", "chrono", "functional", "map", "memory", "mutex", "iostream", "ranges",
                              "regex", "sstream", "thread", "unordered_map"}) {
        INFO(heavy);
        CHECK_FALSE(headers.contains(heavy));
    }
}
