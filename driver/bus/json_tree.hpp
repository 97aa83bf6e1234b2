#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <aprotic/driver/json.hpp>

namespace aprotic::driver::bus {

/// Makes a tree of what nlohmann-json's parser finds, which has no bound on depth and looks for each key among all
/// before it. Of two equal keys the last wins, as in Python. After a failure it holds nothing of use.
class JsonTree {
public:
    /// `words` are the ordinals, rising, of those of the text's strings, keys among them, that stand for the numbers
    /// that JSON has no word for; no key may. They have to live as long as this.
    explicit JsonTree(std::size_t depth_max, std::span<const std::size_t> words = {})
        : depth_max_(depth_max), words_(words) {}

    Json take() { return std::move(root_); }
    /// Deeper than it may be.
    bool is_too_deep() const noexcept { return open_.size() > depth_max_; }
    /// The octet at which the text stops being JSON; nullopt when that is not why it failed.
    std::optional<std::size_t> stopped_at() const noexcept { return stopped_at_; }

    // The parser's calls; false ends it.
    bool null() { return put(nullptr); }
    bool boolean(bool value) { return put(value); }
    bool number_integer(Json::number_integer_t value) { return put(value); }
    bool number_unsigned(Json::number_unsigned_t value) { return put(value); }
    bool number_float(Json::number_float_t value, const std::string&) { return put(value); }
    bool string(std::string& value);
    bool binary(Json::binary_t&) { return false; }  // of other formats
    bool start_object(std::size_t) { return open(true); }
    bool key(std::string& name);
    bool end_object();
    bool start_array(std::size_t) { return open(false); }
    bool end_array();
    bool parse_error(std::size_t position, const std::string& token, const Json::exception& error);

private:
    /// An array or object under way. It is a member's value until it is whole.
    struct Open {
        bool is_object = false;
        std::size_t first = 0;       ///< of its members; of an array: the member that it is
        std::size_t tidy_at = 1024;  ///< members at which equal keys are looked for before its end
    };

    bool open(bool is_object);
    bool put(Json value);
    /// Whether the string that the parser is at stands for a number.
    bool is_word();
    /// Of two equal keys the first keeps its place and gets the last one's value.
    void drop_equal_keys(std::size_t first);

    const std::size_t depth_max_;
    std::span<const std::size_t> words_;  ///< that are still to come
    std::size_t strings_ = 0;             ///< seen so far
    Json root_;
    std::vector<Open> open_;
    std::vector<std::pair<std::string, Json>> members_;  ///< of all that is open, so that objects are made in one go
    std::optional<std::size_t> stopped_at_;
};

}  // namespace aprotic::driver::bus
