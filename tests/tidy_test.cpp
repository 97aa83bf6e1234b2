// What the compiler does not say about this tree: which folder may know which, what may be called where, and that every
// file is reachable from somewhere. Each message tells what to do instead. Nothing here is about taste.
#include <catch2/catch.hpp>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

namespace {

namespace fs = std::filesystem;
using std::string;
using std::string_view;

const fs::path root = APROTIC_SOURCE_DIR;

struct File {
    string path;  // from the root, with slashes
    string text;
    std::vector<string> lines;

    bool is_header() const { return path.ends_with(".hpp"); }
    bool is_code() const { return is_header() || path.ends_with(".cpp"); }
    bool in(string_view prefix) const { return path.starts_with(prefix); }
    bool in_product() const { return in("codec/") || in("engine/") || in("driver/"); }
};

const std::vector<File>& tree() {
    static const std::vector<File> files = [] {
        std::vector<File> found;
        const std::vector<string> wanted = {".hpp", ".cpp",   ".md",  ".sh",   ".py",
                                            ".txt", ".cmake", ".yml", ".json", ".in"};
        auto read = [&](const fs::path& path) {
            std::ifstream in(path, std::ios::binary);
            File file{fs::relative(path, root).generic_string(), string(std::istreambuf_iterator<char>(in), {}), {}};
            std::istringstream lines(file.text);
            for (string line; std::getline(lines, line);) file.lines.push_back(line);
            found.push_back(std::move(file));
        };
        for (const char* folder : {".ci", "codec", "engine", "driver", "tests", "fuzz", "bench", "docs"}) {
            if (!fs::exists(root / folder)) continue;
            for (const auto& entry : fs::recursive_directory_iterator(root / folder)) {
                if (entry.is_regular_file() && std::ranges::count(wanted, entry.path().extension().string()) != 0)
                    read(entry.path());
            }
        }
        for (const char* name : {"CMakeLists.txt", "README.md"})
            if (fs::exists(root / name)) read(root / name);
        std::ranges::sort(found, {}, &File::path);
        return found;
    }();
    return files;
}

/// The line without its comment and with the content of its string literals blanked. Good enough for one line of C++.
string code_of(string_view line) {
    string code;
    char quote = 0;
    for (std::size_t i = 0; i < line.size(); ++i) {
        const char c = line[i];
        if (quote != 0) {
            if (c == '\\')
                ++i;
            else if (c == quote)
                quote = 0, code += c;
            continue;
        }
        if (c == '/' && i + 1 < line.size() && (line[i + 1] == '/' || line[i + 1] == '*')) break;
        const bool digit_separator =
            c == '\'' && !code.empty() && std::isxdigit(static_cast<unsigned char>(code.back())) != 0;
        if ((c == '"' || c == '\'') && !digit_separator && !line.starts_with("#include")) quote = c;
        code += c;
    }
    return code;
}

bool is_word_character(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; }

/// Whether `needle` stands in `code` and does not continue a longer name on its left.
bool contains_word(string_view code, string_view needle) {
    for (std::size_t at = code.find(needle); at != string_view::npos; at = code.find(needle, at + 1))
        if (at == 0 || !is_word_character(code[at - 1])) return true;
    return false;
}

/// Prints each problem on a line of its own, which Catch would break.
bool none(const std::vector<string>& problems) {
    for (const auto& problem : problems) std::cout << problem << '\n';
    std::cout.flush();
    return problems.empty();
}

// ---- layers ---------------------------------------------------------------------------------------------------------

const std::set<string> vocabulary = {"ids",         "time",    "function", "options",     "security",       "event",
                                     "sasl_config", "failure", "trace",    "link_status", "suspended_link", "tls",
                                     "web_socket"};

/// The layer that a file or an included header belongs to; empty outside the product.
string layer_of(string_view path) {
    auto starts = [&](string_view prefix) { return path.starts_with(prefix); };
    if (starts("codec/")) return "codec";
    if (starts("engine/core/")) return "core";
    if (starts("engine/stack/")) return "stack";

    if (starts("engine/broker/") || starts("engine/broker.")) return "broker";
    if (std::ranges::count(path, '/') > 1 && starts("engine/")) return "engine internals";
    if (starts("engine/")) return vocabulary.contains(fs::path(path).stem().string()) ? "vocabulary" : "engine";
    if (starts("driver/cli/")) return "cli";
    if (starts("driver/bus/")) return "bus";
    if (starts("driver/")) return "driver";
    return {};
}

/// What each layer may include. The build keeps the same rule by include paths; this says it in words.
const std::map<string, std::set<string>> may_include = {
    {"codec", {"codec"}},
    {"vocabulary", {"codec", "vocabulary"}},
    {"core", {"codec", "vocabulary", "core"}},
    {"stack", {"codec", "vocabulary", "core", "stack"}},
    {"engine internals", {"codec", "vocabulary", "core", "stack", "engine internals", "engine"}},
    {"engine", {"codec", "vocabulary", "core", "stack", "engine internals", "engine"}},
    {"broker", {"codec", "vocabulary", "engine", "broker"}},
    {"bus", {"codec", "vocabulary", "engine", "broker", "bus", "driver"}},
    {"driver", {"codec", "vocabulary", "engine", "broker", "bus", "driver"}},
    {"cli", {"codec", "vocabulary", "engine", "broker", "driver", "cli"}},
};

/// Public is what lies directly in codec/, engine/ or driver/.
bool is_public_header(string_view path) { return std::ranges::count(path, '/') == 1 && path.ends_with(".hpp"); }

string included_by(string_view line, string_view open, char close) {
    const auto at = line.find(open);
    if (at == string_view::npos || !line.starts_with("#")) return {};
    const auto from = at + open.size();
    const auto to = line.find(close, from);
    return to == string_view::npos ? string() : string(line.substr(from, to - from));
}

}  // namespace

TEST_CASE("a layer includes only what lies below it") {
    std::vector<string> problems;
    for (const auto& file : tree()) {
        if (!file.is_code() || !file.in_product()) continue;
        const string layer = layer_of(file.path);
        for (const auto& line : file.lines) {
            const string header = included_by(line, "<aprotic/", '>');
            if (header.empty()) continue;
            if (!may_include.at(layer).contains(layer_of(header)))
                problems.push_back(
                    file.path + " (layer " + layer + ") includes " + header + " (layer " + layer_of(header) +
                    "): the direction is codec <- vocabulary <- core <- stack <- engine <- broker <- driver <- cli");
            else if (is_public_header(file.path) && !is_public_header(header))
                problems.push_back(file.path + " is public and includes the private " + header +
                                   ": forward-declare or hide it");
            if (!fs::exists(root / header))
                problems.push_back(file.path + " includes " + header + ", which is not in this tree");
        }
    }
    CHECK(none(problems));
}

TEST_CASE("product code includes by the installed name") {
    std::vector<string> problems;
    for (const auto& file : tree()) {
        if (!file.is_code()) continue;
        for (const auto& line : file.lines) {
            const string header = included_by(line, "include \"", '"');
            if (header.empty()) continue;
            // The command's judge and fuzzer are no layers of the product: they live with the tests.
            const bool judge = (file.path == "driver/cli/conform.cpp" &&
                                (header.starts_with("conform/") || header.starts_with("peer/"))) ||
                               (file.path == "driver/cli/fuzz.cpp" &&
                                (header.starts_with("fuzzer/") || header.starts_with("peer/") ||
                                 header == "conform/profile.hpp" || header == "conform/program.hpp"));
            if (judge) continue;
            if (file.in_product())
                problems.push_back(file.path + " includes \"" + header +
                                   "\": write <aprotic/folder/file.hpp>, so that layers hold");
            else if (header.find("..") != string::npos)
                problems.push_back(file.path + " includes \"" + header + "\": name it from tests/");
        }
    }
    CHECK(none(problems));
}

TEST_CASE("the judge, the fuzzer and the scripted peer know the codec and each other") {
    std::vector<string> problems;
    for (const auto& file : tree()) {
        const bool judge = file.in("tests/conform/") || file.in("tests/fuzzer/") || file.in("tests/peer/");
        if (!judge || !file.is_code()) continue;
        for (const auto& line : file.lines) {
            const string product = included_by(line, "<aprotic/", '>');
            if (!product.empty() && layer_of(product) != "codec")
                problems.push_back(file.path + " includes " + product +
                                   ": what judges the engine knows nothing of it, the codec is all it may see");
            const string own = included_by(line, "include \"", '"');
            // Generated values and hex know nothing but the standard library and the codec.
            const bool fuzzer = own.starts_with("fuzzer/") || own.starts_with("support/");
            if (!own.empty() && !own.starts_with("peer/") &&
                !(file.in("tests/conform/") && own.starts_with("conform/")) && !(file.in("tests/fuzzer/") && fuzzer))
                problems.push_back(file.path + " includes " + own +
                                   ": tests/peer, tests/conform and tests/fuzzer stand alone");
        }
    }
    CHECK(none(problems));
}

TEST_CASE("every header is guarded and declared in exactly one layer") {
    // Which CMakeLists.txt names which file.
    std::map<string, std::vector<string>> named_in;
    for (const auto& file : tree()) {
        if (!file.path.ends_with("CMakeLists.txt")) continue;
        string word;
        for (const auto& line : file.lines) {
            std::istringstream words(line.substr(0, line.find('#')));
            while (words >> word) {
                word.erase(
                    std::remove_if(word.begin(), word.end(), [](char c) { return c == '(' || c == ')' || c == '"'; }),
                    word.end());
                if (word.ends_with(".hpp") || word.ends_with(".cpp"))
                    named_in[(fs::path(file.path).parent_path() / word).lexically_normal().generic_string()].push_back(
                        file.path);
            }
        }
    }
    std::vector<string> problems;
    for (const auto& file : tree()) {
        if (file.is_header() && std::ranges::count(file.lines, "#pragma once") != 1)
            problems.push_back(file.path + " has no #pragma once");
        const auto found = named_in.find(file.path);
        const std::size_t times = found == named_in.end() ? 0 : found->second.size();
        if (file.in_product() && file.is_header() && times != 1)
            problems.push_back(file.path + " is declared " + std::to_string(times) +
                               " times: list it in the CMakeLists.txt of its own layer, once");
        if (file.in_product() && file.path.ends_with(".cpp") && times == 0)
            problems.push_back(file.path + " is compiled by nothing: list it in its layer's SOURCES or delete it");
    }
    CHECK(none(problems));
}

// ---- bans -----------------------------------------------------------------------------------------------------------

namespace {

struct Ban {
    std::vector<string> words;
    std::vector<string> within;  // path prefixes it holds for
    std::vector<string> except;  // path prefixes it does not hold for
    string instead;
};

const std::vector<string> library = {"codec/", "engine/", "driver/"};

const std::vector<Ban> bans = {
    {{"steady_clock::now", "system_clock::now", "high_resolution_clock::now", "clock_gettime", "gettimeofday"},
     library,
     {"engine/io/", "driver/cli/"},
     "time is a parameter: take `now`, or ask Reactor::now()"},
    {{"std::this_thread"}, library, {"engine/io/"}, "do not sleep, and ask Reactor::on_thread()"},
    {{"rand(", "srand(", "std::random_device", "std::mt19937", "getrandom("},
     library,
     {"engine/io/"},
     "chance is a parameter: Reactor::random(), or a seed"},
    {{"std::thread", "std::jthread", "std::async", "std::mutex", "std::condition_variable"},
     {"engine/core/", "engine/stack/", "engine/broker/"},
     // What connections of any thread share: certificates, and all of Cyrus SASL.
     {"engine/stack/tls_context.", "engine/stack/cyrus_connection.cpp"},
     "below the event layer everything runs on one thread and blocks nowhere"},
    {{"asio::", "asio/", "asio.hpp"},
     library,
     {"engine/io/", "engine/asio_reactor.hpp", "driver/asio_tokens.hpp"},
     "only engine/io knows Asio; everybody else sees Reactor and Stream"},
    {{"openssl/", "SSL_", "sasl/sasl.h", "wslay"},
     library,
     {"engine/stack/"},
     "TLS, SASL and WebSocket live in engine/stack"},
    {{"sys/socket.h", "netinet/", "::socket(", "unistd.h"},
     {"codec/", "engine/", "driver/"},
     // The name of this host is the realm of users who have none.
     {"engine/io/", "driver/cli/", "engine/stack/cyrus_connection.cpp"},
     "sockets and files belong to engine/io"},
    {{"memcpy("},
     library,
     {"codec/bytes."},
     "copy payload by codec::copy_bytes, which is counted; use std::bit_cast for numbers"},
    // The encoder closes the gap of a short list's header in its own block.
    {{"memmove("},
     library,
     {"codec/bytes.", "codec/encoder.cpp"},
     "copy payload by codec::copy_bytes, which is counted"},
    {{"std::cout", "std::cerr", "printf("},
     library,
     {"driver/cli/", "codec/assert.hpp"},
     "a library does not print: return it, or use TraceSink"},
    // A Broker's constructor may refuse its caller's options.
    {{"throw"},
     {"engine/core/", "engine/stack/", "engine/broker/"},
     {"engine/broker/broker.cpp"},
     "return a Result; exceptions are for the blocking edge"},
};

bool covers(const std::vector<string>& prefixes, string_view path) {
    return std::ranges::any_of(prefixes, [&](const string& prefix) { return path.starts_with(prefix); });
}

}  // namespace

TEST_CASE("nothing is called where it must not be") {
    std::vector<string> problems;
    for (const auto& file : tree()) {
        if (!file.is_code()) continue;
        std::vector<const Ban*> here;
        for (const auto& ban : bans)
            if (covers(ban.within, file.path) && !covers(ban.except, file.path)) here.push_back(&ban);
        if (here.empty()) continue;
        for (std::size_t number = 0; number < file.lines.size(); ++number) {
            const string code = code_of(file.lines[number]);
            for (const Ban* ban : here)
                for (const auto& word : ban->words)
                    if (contains_word(code, word))
                        problems.push_back(file.path + ":" + std::to_string(number + 1) + " uses " + word + ": " +
                                           ban->instead);
        }
    }
    CHECK(none(problems));
}

TEST_CASE("nothing is left for later in the code") {
    const std::vector<string> marks = {string("TO") + "DO", string("FIX") + "ME", string("XX") + "X"};
    std::vector<string> problems;
    for (const auto& file : tree()) {
        if (!file.is_code()) continue;
        for (std::size_t number = 0; number < file.lines.size(); ++number)
            for (const auto& mark : marks)
                if (contains_word(file.lines[number], mark))
                    problems.push_back(file.path + ":" + std::to_string(number + 1) + " has " + mark +
                                       ": do it, or file an issue");
    }
    CHECK(none(problems));
}

// ---- documentation --------------------------------------------------------------------------------------------------

namespace {

/// The line without its `code`.
string without_code(const string& line) {
    string text;
    bool code = false;
    for (const char c : line) {
        if (c == '`') code = !code;
        if (!code) text += c;
    }
    return text;
}

/// The targets of [text](target) in a page, without anchors; links to other hosts are left out.
std::vector<string> links_of(const File& page) {
    std::vector<string> found;
    bool fenced = false;
    for (const auto& whole : page.lines) {
        if (whole.starts_with("```")) fenced = !fenced;
        if (fenced) continue;
        const string line = without_code(whole);
        for (std::size_t at = line.find("]("); at != string::npos; at = line.find("](", at + 2)) {
            string target = line.substr(at + 2, line.find(')', at) - at - 2);
            target = target.substr(0, target.find('#'));
            if (!target.empty() && target.find("://") == string::npos) found.push_back(target);
        }
    }
    return found;
}

}  // namespace

TEST_CASE("links between pages lead somewhere") {
    std::vector<string> problems;
    for (const auto& page : tree()) {
        if (!page.path.ends_with(".md")) continue;
        for (const auto& target : links_of(page))
            if (!fs::exists(root / fs::path(page.path).parent_path() / target))
                problems.push_back(page.path + " links to " + target + ", which is not there");
    }
    CHECK(none(problems));
}

TEST_CASE("the tests that the pages of parity name are there") {
    std::set<string> names;
    for (const auto& file : tree()) {
        if (!file.in("tests/") || !file.path.ends_with(".cpp")) continue;
        constexpr string_view open = "TEST_CASE(\"";
        for (std::size_t at = file.text.find(open); at != string::npos; at = file.text.find(open, at + 1)) {
            const auto begin = at + open.size();
            names.insert(file.text.substr(begin, file.text.find('"', begin) - begin));
        }
    }
    std::vector<string> problems;
    for (const auto& page : tree()) {
        if (page.path != "docs/parity.md" && page.path != "docs/parity-tests.md") continue;
        for (const auto& line : page.lines) {
            for (std::size_t open = line.find('"'); open != string::npos;) {
                const auto close = line.find('"', open + 1);
                const string name = line.substr(open + 1, close - open - 1);
                if (!names.contains(name)) problems.push_back(page.path + " names a test that is not there: " + name);
                open = close == string::npos ? close : line.find('"', close + 1);
            }
        }
    }
    CHECK(none(problems));
}

TEST_CASE("every page is found from the index, and the front page stays short") {
    std::set<string> linked;
    const File* index = nullptr;
    const File* front = nullptr;
    for (const auto& page : tree()) {
        if (page.path == "docs/README.md") index = &page;
        if (page.path == "README.md") front = &page;
    }
    REQUIRE(index != nullptr);
    REQUIRE(front != nullptr);
    for (const auto& target : links_of(*index))
        linked.insert((fs::path("docs") / target).lexically_normal().generic_string());
    std::vector<string> problems;
    for (const auto& page : tree()) {
        if (page.in("docs/") && page.path.ends_with(".md") && &page != index && !linked.contains(page.path))
            problems.push_back("docs/README.md does not link to " + page.path);
        if (page.path.ends_with(".md") && (page.lines.empty() || !page.lines[0].starts_with("# ")))
            problems.push_back(page.path + " does not begin with its title");
    }
    if (front->lines.size() > 150)
        problems.push_back("README.md has " + std::to_string(front->lines.size()) +
                           " lines: 150 at most, the rest goes to docs/");
    CHECK(none(problems));
}

namespace {

/// A section's letters, or whole clause ids, out of a cell of docs/protocol-coverage.md.
std::vector<string> words_of(const string& cell) {
    std::istringstream in(cell);
    std::vector<string> words;
    for (string word; in >> word;) words.push_back(word);
    return words;
}

}  // namespace

TEST_CASE("the page of protocol coverage and the tags of the tests agree") {
    std::set<string> tagged;
    const File* page = nullptr;
    for (const auto& file : tree()) {
        if (file.path == "docs/protocol-coverage.md") page = &file;
        if (!file.in("tests/") || !file.path.ends_with("_test.cpp")) continue;
        for (std::size_t at = file.text.find('['); at != string::npos; at = file.text.find('[', at + 1)) {
            const string tag = file.text.substr(at + 1, file.text.find(']', at) - at - 1);
            const bool clause = tag.size() < 12 && tag.size() > 3 && tag[0] >= '2' && tag[0] <= '4' && tag[1] == '.' &&
                                tag.find('-') != string::npos;
            if (clause) tagged.insert(tag);
        }
    }
    REQUIRE(page != nullptr);
    std::vector<string> problems;
    std::set<string> listed;
    std::map<string, std::set<string>> letters;
    for (const auto& line : page->lines) {
        std::istringstream cells(line);
        string first, second, third;
        std::getline(cells, first, '|');
        std::getline(cells, first, '|');
        std::getline(cells, second, '|');
        std::getline(cells, third, '|');
        const auto section = words_of(first);
        if (section.size() == 1 && section[0].find_first_not_of("0123456789.") == string::npos) {
            for (const auto& letter : words_of(second)) {
                const string id = section[0] + "-" + letter;
                if (!tagged.contains(id))
                    problems.push_back("docs/protocol-coverage.md claims " + id + ", which no test has as a tag");
                listed.insert(id);
                letters[section[0]].insert(letter);
            }
        } else if (line.find("|---") == string::npos) {
            for (const auto& id : words_of(second)) {
                if (id.find('-') == string::npos || id[0] < '2' || id[0] > '4') continue;
                listed.insert(id);
                letters[id.substr(0, id.find('-'))].insert(id.substr(id.find('-') + 1));
            }
        }
    }
    for (const auto& id : tagged)
        if (!listed.contains(id))
            problems.push_back("a test has the tag " + id + ": list it in docs/protocol-coverage.md");
    for (const auto& [section, found] : letters)
        if (found.size() != static_cast<std::size_t>((*found.rbegin())[0] - 'a' + 1))
            problems.push_back("docs/protocol-coverage.md leaves out clauses of " + section + " without a reason");
    CHECK(none(problems));
}
