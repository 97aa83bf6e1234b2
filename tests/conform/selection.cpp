#include "conform/selection.hpp"

#include <algorithm>

namespace aprotic::conform {
namespace {

bool matches(const Case& one, const std::string& word) {
    if (word == "@negative") return one.negative;
    if (word.starts_with('@')) return std::ranges::count(one.tags, word.substr(1)) != 0;
    if (one.id == word || one.clause() == word || std::ranges::count(one.clauses, word) != 0) return true;
    const std::string section = one.section();
    return section == word || section.starts_with(word + ".");
}

bool matches_any(const Case& one, const std::vector<std::string>& words) {
    return std::ranges::any_of(words, [&](const std::string& word) { return matches(one, word); });
}

}  // namespace

std::vector<const Case*> select(const Cases& cases, const Selection& selection, std::vector<std::string>& unknown) {
    for (const auto* words : {&selection.words, &selection.without})
        for (const auto& word : *words)
            if (std::ranges::none_of(cases, [&](const Case& one) { return matches(one, word); }))
                unknown.push_back(word);
    std::vector<const Case*> chosen;
    for (const auto& one : cases) {
        if (one.mode != selection.mode) continue;
        if (!selection.levels.empty() && std::ranges::count(selection.levels, one.level) == 0) continue;
        if (!selection.words.empty() && !matches_any(one, selection.words)) continue;
        if (!matches_any(one, selection.without)) chosen.push_back(&one);
    }
    return chosen;
}

}  // namespace aprotic::conform
