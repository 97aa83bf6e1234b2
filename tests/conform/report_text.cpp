#include <algorithm>
#include <array>
#include <cstdio>
#include <map>
#include <memory>
#include <sstream>

#include <aprotic/codec/dump.hpp>

#include "conform/report.hpp"

namespace aprotic::conform {
namespace {

std::string hex_of(std::span<const std::byte> octets, std::size_t octets_max) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string text;
    for (const std::byte octet : octets.first(std::min(octets.size(), octets_max))) {
        text += digits[std::to_integer<unsigned>(octet) >> 4U];
        text += digits[std::to_integer<unsigned>(octet) & 15U];
    }
    if (octets.size() > octets_max) text += "… (" + std::to_string(octets.size()) + " octets)";
    return text;
}

std::string block(std::string_view title, std::string_view text) {
    return text.empty() ? std::string() : "      " + std::string(title) + "\n" + wrapped(text, "        ");
}

}  // namespace

std::vector<Exchange> exchanges_of(const Result& result, std::size_t octets_max) {
    codec::DumpOptions options;
    options.octets_max = 64;
    std::map<std::pair<std::size_t, bool>, std::unique_ptr<codec::StreamDumper>> dumpers;
    std::vector<Exchange> all;
    for (const auto& entry : result.log) {
        auto& dumper = dumpers[{entry.line, entry.ours}];
        if (!dumper) dumper = std::make_unique<codec::StreamDumper>(options);
        all.push_back(
            {entry.line, entry.seconds, entry.ours, dumper->feed(entry.octets), hex_of(entry.octets, octets_max)});
    }
    return all;
}

void Score::add(Verdict verdict) {
    switch (verdict) {
        case Verdict::ok: ++ok; break;
        case Verdict::non_strict: ++non_strict; break;
        case Verdict::informational: ++recorded; break;
        case Verdict::unimplemented:
        case Verdict::inconclusive: ++not_judged; break;
        case Verdict::failed:
        case Verdict::silent:
        case Verdict::crashed: ++failed; break;
    }
}

std::vector<Score> scores_of(const Run& run) {
    std::vector<Score> scores;
    for (const auto& result : run.results) {
        const Chapter chapter = chapter_of(result.subject->section());
        auto found = std::ranges::find(scores, chapter.number, [](const Score& s) { return s.chapter.number; });
        if (found == scores.end()) found = scores.insert(scores.end(), Score{chapter});
        found->add(result.verdict);
    }
    std::ranges::sort(scores, section_before, [](const Score& s) { return s.chapter.number; });
    return scores;
}

std::string_view name_of(Verdict verdict) {
    switch (verdict) {
        case Verdict::ok: return "ok";
        case Verdict::non_strict: return "non-strict";
        case Verdict::informational: return "informational";
        case Verdict::unimplemented: return "unimplemented";
        case Verdict::failed: return "failed";
        case Verdict::silent: return "failed-silent";
        case Verdict::crashed: return "failed-crash";
        case Verdict::inconclusive: break;
    }
    return "inconclusive";
}

std::string summary_of(const Run& run) {
    std::string text;
    for (const auto verdict : {Verdict::ok, Verdict::non_strict, Verdict::informational, Verdict::unimplemented,
                               Verdict::failed, Verdict::silent, Verdict::crashed, Verdict::inconclusive}) {
        const std::size_t count = run.count(verdict);
        if (count == 0) continue;
        text += (text.empty() ? "" : ", ") + std::to_string(count) + " " + std::string(name_of(verdict));
    }
    return text.empty() ? "no cases" : text;
}

std::string decimal(double seconds, int digits) {
    std::array<char, 32> text{};
    std::snprintf(text.data(), text.size(), "%.*f", digits, seconds);
    return text.data();
}

std::string wrapped(std::string_view text, std::string_view indent) {
    constexpr std::size_t width = 110;
    std::string out;
    while (!text.empty()) {
        const auto end = std::min(text.find('\n'), text.size());
        std::string_view line = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        do {
            std::size_t cut = line.size();
            if (cut > width) {
                const auto blank = line.rfind(' ', width);
                cut = blank == std::string_view::npos || blank == 0 ? width : blank;
            }
            out += std::string(indent) + std::string(line.substr(0, cut)) + "\n";
            line.remove_prefix(std::min(line.size(), cut + (cut < line.size() && line[cut] == ' ' ? 1U : 0U)));
        } while (!line.empty());
    }
    return out;
}

std::string text_of(const Result& result, bool with_log) {
    std::string mark(name_of(result.verdict));
    mark.resize(std::max<std::size_t>(mark.size(), 14), ' ');
    std::string text = mark + " " + result.subject->id;
    std::string way;
    for (const auto& one : result.ways) way += (way.empty() ? "" : "; ") + one;
    if (result.verdict == Verdict::unimplemented) way = result.actual;
    if (!way.empty()) text += "  (" + way + ")";
    if (result.other_verdicts > 0)
        text +=
            "  [" + std::to_string(result.other_verdicts) + " of " + std::to_string(result.runs) + " runs were better]";
    text += "\n";
    for (const auto& note : result.notes) text += wrapped(note, "      ");
    if (!is_failure(result.verdict) && result.verdict != Verdict::inconclusive) return text;
    text += block(std::string(name_of(result.subject->level)) + ":", result.subject->rule);
    text += block("the suite:", result.subject->sends);
    text += block("expected:", result.expected) + block("actual:", result.actual);
    text += block("the last frame sent:", result.sent) + block("the frame that came:", result.heard);
    text += block("the connection's end:", result.closing) + block("the client wrote:", result.said);
    if (!result.known.empty()) text += block("known, and not counted:", result.known);
    if (!with_log) return text;
    text += "      conversation:\n";
    for (const auto& exchange : exchanges_of(result)) {
        text += "        " + std::to_string(exchange.line) + (exchange.ours ? " -> " : " <- ") +
                decimal(exchange.seconds, 3) + " s  " + exchange.hex + "\n" + wrapped(exchange.text, "             ");
    }
    return text;
}

std::string text_of(const Run& run) {
    std::string text = "\n" + run.peer + " at " + run.address + ", " + run.date + "\n\n";
    for (const auto& score : scores_of(run)) {
        std::string line = "  " + score.chapter.number;
        line.resize(8, ' ');
        line += score.chapter.title;
        line.resize(36, ' ');
        line += std::to_string(score.ok) + " of " + std::to_string(score.judged()) + " ok";
        if (score.non_strict > 0) line += ", " + std::to_string(score.non_strict) + " non-strict";
        if (score.failed > 0) line += ", " + std::to_string(score.failed) + " failed";
        if (score.recorded > 0) line += ", " + std::to_string(score.recorded) + " recorded";
        if (score.not_judged > 0) line += ", " + std::to_string(score.not_judged) + " not judged";
        text += line + "\n";
    }
    return text + "\n" + std::to_string(run.results.size()) + " cases in " + decimal(run.seconds, 3) +
           " s: " + summary_of(run) + "\n";
}

std::string text_of(const Case& one) {
    std::string text = one.id + "  " + std::string(name_of(one.level)) + (one.negative ? ", negative" : "") +
                       (one.mode == Mode::client ? ", of clients" : "");
    for (const auto& need : one.needs) text += ", needs " + need;
    for (const auto& tag : one.tags) text += " @" + tag;
    return text + "\n" + wrapped(one.rule, "      ") + wrapped("sends: " + one.sends, "      ") +
           wrapped("accepts: " + one.accepts, "      ");
}

}  // namespace aprotic::conform
