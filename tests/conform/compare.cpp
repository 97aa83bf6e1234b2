#include <algorithm>
#include <map>

#include "conform/markup.hpp"
#include "conform/report.hpp"

namespace aprotic::conform {
namespace {

using Row = std::vector<const PastRun::Entry*>;

/// Case id → what each run says of it, in the order of the sections.
std::vector<std::pair<std::string, Row>> rows_of(const std::vector<PastRun>& runs) {
    std::vector<std::pair<std::string, Row>> rows;
    std::map<std::string, std::size_t> places;
    for (std::size_t i = 0; i < runs.size(); ++i) {
        for (const auto& entry : runs[i].cases) {
            const auto [place, added] = places.try_emplace(entry.id, rows.size());
            if (added) rows.emplace_back(entry.id, Row(runs.size(), nullptr));
            rows[place->second].second[i] = &entry;
        }
    }
    std::ranges::stable_sort(rows, [](const auto& a, const auto& b) {
        return section_before(a.first.substr(0, a.first.find('-')), b.first.substr(0, b.first.find('-')));
    });
    return rows;
}

bool differ(const Row& row) {
    return std::ranges::any_of(row, [&](const PastRun::Entry* entry) {
        return entry == nullptr || row.front() == nullptr || entry->verdict != row.front()->verdict;
    });
}

std::string verdict_of(const PastRun::Entry* entry) { return entry == nullptr ? "-" : entry->verdict; }

std::size_t count(const PastRun& run, std::string_view verdict) {
    return static_cast<std::size_t>(std::ranges::count_if(
        run.cases, [&](const PastRun::Entry& entry) { return entry.verdict.starts_with(verdict); }));
}

constexpr std::string_view counted[] = {"ok", "non-strict", "failed", "informational", "unimplemented", "inconclusive"};

std::string padded(std::string text, std::size_t width) {
    text.resize(std::max(width, text.size() + 1), ' ');
    return text;
}

}  // namespace

std::string compare_as_text(const std::vector<PastRun>& runs) {
    std::string text = padded("", 40);
    for (const auto& run : runs) text += padded(run.peer.substr(0, 20), 22);
    text += "\n";
    for (const auto verdict : counted) {
        text += padded(std::string(verdict), 40);
        for (const auto& run : runs) text += padded(std::to_string(count(run, verdict)), 22);
        text += "\n";
    }
    text += "\nwhere they differ:\n";
    for (const auto& [id, row] : rows_of(runs)) {
        if (!differ(row)) continue;
        text += padded(id, 40);
        for (const auto* entry : row) text += padded(verdict_of(entry), 22);
        text += "\n";
    }
    return text;
}

std::string compare_as_html(const std::vector<PastRun>& runs) {
    std::string text =
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>AMQP 1.0: peers beside each "
        "other</title>\n" +
        std::string(page_style()) +
        "</head><body>\n<h1>AMQP 1.0: peers beside each other</h1>\n<p class=\"sub\">What each verdict is "
        "about is told when the pointer rests on it.</p>\n<table><thead><tr><th></th>";
    for (const auto& run : runs)
        text += "<th>" + escaped(run.peer) + "<br>" + escaped(run.date.substr(0, 10)) + "</th>";
    text += "</tr></thead><tbody>\n";
    for (const auto verdict : counted) {
        text += "<tr><td><span class=\"v " + std::string(verdict) + "\">" + std::string(verdict) + "</span></td>";
        for (const auto& run : runs) text += "<td>" + std::to_string(count(run, verdict)) + "</td>";
        text += "</tr>\n";
    }
    std::string chapter;
    for (const auto& [id, row] : rows_of(runs)) {
        const Chapter here = chapter_of(id.substr(0, id.find('-')));
        if (here.number != chapter)
            text += "<tr><th colspan=\"" + std::to_string(runs.size() + 1) + "\">" + here.number + " " +
                    escaped(here.title) + "</th></tr>\n";
        chapter = here.number;
        text += "<tr><td><code>" + escaped(id) + "</code></td>";
        for (const auto* entry : row) {
            const std::string verdict = verdict_of(entry);
            text += "<td><span class=\"v " + verdict + "\" title=\"" +
                    escaped(entry == nullptr ? "not asked" : entry->detail) + "\">" + verdict + "</span></td>";
        }
        text += "</tr>\n";
    }
    return text + "</tbody></table></body></html>\n";
}

}  // namespace aprotic::conform
