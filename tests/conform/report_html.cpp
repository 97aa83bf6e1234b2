#include <algorithm>

#include "conform/markup.hpp"
#include "conform/report.hpp"

namespace aprotic::conform {
namespace {

std::string badge(Verdict verdict) {
    const std::string name(name_of(verdict));
    return "<span class=\"v " + name + "\">" + name + "</span>";
}

std::string tile(std::size_t number, std::string_view what) {
    return "<div class=\"tile\"><b>" + std::to_string(number) + "</b>" + std::string(what) + "</div>\n";
}

std::string bar(const Score& score) {
    std::string text = "<div class=\"bar\">";
    const auto part = [&](std::string_view kind, std::size_t count) {
        if (count > 0)
            text += "<i class=\"" + std::string(kind) + "\" style=\"flex:" + std::to_string(count) + "\" title=\"" +
                    std::to_string(count) + " " + std::string(kind) + "\"></i>";
    };
    part("ok", score.ok);
    part("informational", score.recorded);
    part("non-strict", score.non_strict);
    part("failed", score.failed);
    part("unimplemented", score.not_judged);
    return text + "</div>";
}

/// A button that leaves only cases whose verdict begins so.
std::string filter(std::string_view verdict, std::string_view label, std::size_t count) {
    return "<button data-v=\"" + std::string(verdict) + "\"" + (verdict == "all" ? " class=\"on\"" : "") +
           (count == 0 ? " disabled" : "") + ">" + std::string(label) + " " + std::to_string(count) + "</button>";
}

std::string row(const Score& score, const std::string& name) {
    const std::size_t judged = score.judged();
    return "<tr><td>" + name + "</td><td>" + bar(score) + "</td><td class=\"n\">" + std::to_string(score.ok) + " of " +
           std::to_string(judged) + "</td><td class=\"n\">" +
           (judged == 0 ? std::string("–") : std::to_string(100 * score.ok / judged) + " %") + "</td><td class=\"n\">" +
           std::to_string(score.non_strict) + "</td><td class=\"n\">" + std::to_string(score.failed) +
           "</td><td class=\"n\">" + std::to_string(score.recorded) + "</td><td class=\"n\">" +
           std::to_string(score.not_judged) + "</td></tr>\n";
}

std::string entry(std::string_view title, const std::string& text) {
    if (text.empty()) return {};
    return "<dt>" + std::string(title) + "</dt><dd>" + escaped(text) + "</dd>\n";
}

std::string frame(std::string_view title, const std::string& text) {
    if (text.empty()) return {};
    return "<dt>" + std::string(title) + "</dt><dd><pre>" + escaped(text) + "</pre></dd>\n";
}

std::string conversation(const Result& result) {
    std::string text;
    for (const auto& exchange : exchanges_of(result)) {
        const std::string from =
            exchange.ours ? "<span class=\"us\">suite →</span>" : "<span class=\"them\">← peer</span>";
        text += from + " " + decimal(exchange.seconds, 3) + " s, connection " + std::to_string(exchange.line) + "\n" +
                escaped(exchange.hex) + "\n" + escaped(exchange.text) + "\n";
    }
    return text.empty() ? text : "<dt>Conversation</dt><dd><pre>" + text + "</pre></dd>\n";
}

std::string details(const Result& result) {
    const Case& subject = *result.subject;
    std::string ways;
    for (const auto& way : result.ways) ways += (ways.empty() ? "" : "; ") + way;
    std::string notes;
    for (const auto& note : result.notes) notes += (notes.empty() ? "" : "; ") + note;
    std::string text = "<details class=\"case\" data-v=\"" + std::string(name_of(result.verdict)) + "\" id=\"" +
                       escaped(subject.id) + "\"><summary>" + badge(result.verdict) + "<code>" + escaped(subject.id) +
                       "</code><span>" + escaped(subject.rule) + "</span></summary><div class=\"body\"><dl>\n";
    text += entry("Level", std::string(name_of(subject.level)) + (subject.negative ? ", negative" : "") +
                               (subject.mode == Mode::client ? ", of clients" : ""));
    text += entry("The suite", subject.sends) + entry("Accepted", subject.accepts);
    text += entry("The peer", ways) + entry("Noted", notes);
    text += frame("Expected", result.expected) + frame("Actual", result.actual);
    if (result.verdict != Verdict::ok)
        text += frame("The last frame sent", result.sent) + frame("The frame that came", result.heard);
    text += entry("The connection's end", result.closing) + entry("The client wrote", result.said) +
            entry("Known, and not counted", result.known);
    if (result.other_verdicts > 0)
        text += entry("Not always", std::to_string(result.other_verdicts) + " of " + std::to_string(result.runs) +
                                        " runs were better");
    return text + conversation(result) + "</dl></div></details>\n";
}

constexpr std::string_view filter_script = R"(<script>
for (const button of document.querySelectorAll("nav button")) button.onclick = () => {
  for (const other of document.querySelectorAll("nav button")) other.classList.toggle("on", other === button);
  const wanted = button.dataset.v;
  for (const one of document.querySelectorAll("details.case"))
    one.style.display = wanted === "all" || one.dataset.v.startsWith(wanted) ? "" : "none";
  for (const section of document.querySelectorAll("section"))
    section.hidden = ![...section.querySelectorAll("details")].some(one => one.style.display === "");
};
</script>
)";

}  // namespace

std::string html_of(const Run& run) {
    Score total;
    for (const auto& result : run.results) total.add(result.verdict);
    std::string text =
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
        "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>AMQP 1.0: " +
        escaped(run.peer) + "</title>\n" + std::string(page_style()) + "</head><body>\n<h1>" + escaped(run.peer) +
        " and AMQP 1.0</h1>\n<p class=\"sub\">" + escaped(run.address) + " · " + escaped(run.date) + " · " +
        std::to_string(run.results.size()) + " cases in " + decimal(run.seconds, 1) + " s</p>\n<div class=\"tiles\">\n";
    text += tile(total.ok, "ok") + tile(total.non_strict, "not strict") + tile(total.failed, "failed") +
            tile(total.recorded, "recorded") + tile(total.not_judged, "not judged") + "</div>\n";
    text +=
        "<table><thead><tr><th>Section</th><th></th><th class=\"n\">ok</th><th class=\"n\">ok, %</th>"
        "<th class=\"n\">not strict</th><th class=\"n\">failed</th><th class=\"n\">recorded</th>"
        "<th class=\"n\">not judged</th></tr></thead><tbody>\n";
    for (const auto& score : scores_of(run))
        text += row(score, "<a href=\"#s" + score.chapter.number + "\">" + score.chapter.number + "</a> " +
                               escaped(score.chapter.title));
    text += row(total, "<b>All</b>") + "</tbody></table>\n";
    text += "<h2>Cases</h2>\n<nav>" + filter("all", "all", run.results.size()) +
            filter("failed", "failed", total.failed) + filter("non-strict", "not strict", total.non_strict) +
            filter("ok", "ok", total.ok) + filter("informational", "recorded", total.recorded) +
            filter("unimplemented", "unimplemented", run.count(Verdict::unimplemented)) +
            filter("inconclusive", "inconclusive", run.count(Verdict::inconclusive)) + "</nav>\n";
    std::vector<const Result*> ordered;
    for (const auto& result : run.results) ordered.push_back(&result);
    std::ranges::stable_sort(ordered, [](const Result* a, const Result* b) {
        return section_before(a->subject->section(), b->subject->section());
    });
    std::string chapter;
    for (const Result* result : ordered) {
        const Chapter here = chapter_of(result->subject->section());
        if (here.number != chapter)
            text += (chapter.empty() ? "<section>" : "</section>\n<section>") + ("<h2 id=\"s" + here.number) + "\">" +
                    here.number + " " + escaped(here.title) + "</h2>\n";
        chapter = here.number;
        text += details(*result);
    }
    if (!chapter.empty()) text += "</section>\n";
    return text + std::string(filter_script) + "</body></html>\n";
}

}  // namespace aprotic::conform
