#include <aprotic/driver/bus/json_tree.hpp>

#include <limits>
#include <string_view>
#include <unordered_map>

namespace aprotic::driver::bus {
namespace {

/// Up to so many members are compared with each other; more go through a table.
constexpr std::size_t compared_max = 16;

}  // namespace

bool JsonTree::put(Json value) {
    if (open_.empty())
        root_ = std::move(value);
    else if (open_.back().is_object)
        members_.back().second = std::move(value);
    else
        members_.back().second.get_ref<Json::array_t&>().push_back(std::move(value));
    return true;
}

bool JsonTree::is_word() {
    const bool is = !words_.empty() && words_.front() == strings_;
    if (is) words_ = words_.subspan(1);
    ++strings_;
    return is;
}

bool JsonTree::string(std::string& value) {
    if (!is_word()) return put(std::move(value));
    constexpr double infinity = std::numeric_limits<double>::infinity();
    if (value == "NaN") return put(std::numeric_limits<double>::quiet_NaN());
    return put(value == "Infinity" ? infinity : -infinity);
}

bool JsonTree::open(bool is_object) {
    constexpr std::size_t usual = 8;
    if (open_.capacity() == 0) open_.reserve(usual);
    if (members_.capacity() == 0) members_.reserve(usual);
    open_.push_back({.is_object = is_object, .first = members_.size()});
    if (is_too_deep()) return false;
    if (!is_object) members_.emplace_back(std::string(), Json::array());
    return true;
}

bool JsonTree::key(std::string& name) {
    if (is_word()) return false;
    Open& object = open_.back();
    if (members_.size() - object.first >= object.tidy_at) {
        drop_equal_keys(object.first);
        object.tidy_at = 2 * (members_.size() - object.first) + object.tidy_at;
    }
    members_.emplace_back(std::move(name), Json());
    return true;
}

bool JsonTree::end_object() {
    const std::size_t first = open_.back().first;
    drop_equal_keys(first);
    Json object = Json::object();
    auto& into = object.get_ref<Json::object_t&>();
    into.reserve(members_.size() - first);  // its pairs can only be copied when it grows
    for (std::size_t i = first; i < members_.size(); ++i)
        into.emplace_back(std::move(members_[i].first), std::move(members_[i].second));
    members_.resize(first);
    open_.pop_back();
    return put(std::move(object));
}

bool JsonTree::end_array() {
    Json array = std::move(members_.back().second);
    members_.pop_back();
    open_.pop_back();
    return put(std::move(array));
}

bool JsonTree::parse_error(std::size_t position, const std::string&, const Json::exception&) {
    stopped_at_ = position;
    return false;
}

void JsonTree::drop_equal_keys(std::size_t first) {
    const auto begin = members_.begin() + static_cast<std::ptrdiff_t>(first);
    auto kept = begin;
    const auto keep = [&kept](auto member) {
        if (kept != member) *kept = std::move(*member);
        ++kept;
    };
    if (members_.size() - first <= compared_max) {
        for (auto member = begin; member != members_.end(); ++member) {
            auto same = begin;
            while (same != kept && same->first != member->first) ++same;
            if (same != kept)
                same->second = std::move(member->second);
            else
                keep(member);
        }
    } else {
        // The keys in the table are those of members that are where they stay.
        std::unordered_map<std::string_view, Json*> known;
        known.reserve(members_.size() - first);
        for (auto member = begin; member != members_.end(); ++member) {
            if (const auto same = known.find(member->first); same != known.end()) {
                *same->second = std::move(member->second);
            } else {
                const auto place = kept;
                keep(member);
                known.emplace(place->first, &place->second);
            }
        }
    }
    members_.erase(kept, members_.end());
}

}  // namespace aprotic::driver::bus
