#include <algorithm>
#include <map>

#include "conform/markup.hpp"
#include "conform/report.hpp"

namespace aprotic::conform {
namespace {

std::string junit_of(const Run& run, const Result& result) {
    const Case& subject = *result.subject;
    std::string text = "    <testcase classname=\"amqp10." + subject.section() + "\" name=\"" + escaped(subject.id) +
                       "\" time=\"" + decimal(result.seconds, 3) + "\">\n";
    std::string properties;
    const auto property = [&](std::string_view name, std::string_view value) {
        properties += "        <property name=\"" + std::string(name) + "\" value=\"" + escaped(value) + "\"/>\n";
    };
    property("verdict", name_of(result.verdict));
    property("level", name_of(subject.level));
    for (const auto& way : result.ways) property("way", way);
    text += "      <properties>\n" + properties + "      </properties>\n";
    if (result.verdict == Verdict::unimplemented || result.verdict == Verdict::inconclusive ||
        (is_failure(result.verdict) && !run.fails(result))) {
        const std::string& why = result.known.empty() ? result.actual : result.known;
        text += "      <skipped message=\"" + escaped(std::string(name_of(result.verdict)) + ": " + why) + "\"/>\n";
    } else if (run.fails(result)) {
        text += "      <failure type=\"" + std::string(name_of(result.verdict)) + "\" message=\"" +
                escaped(subject.rule) + "\">" + escaped("expected " + result.expected + "\nactual " + result.actual) +
                "</failure>\n";
    }
    if (result.verdict != Verdict::ok && result.verdict != Verdict::unimplemented)
        text += "      <system-out>" + escaped(text_of(result, true)) + "</system-out>\n";
    return text + "    </testcase>\n";
}

}  // namespace

std::string junit_of(const Run& run) {
    std::map<std::string, std::vector<const Result*>, bool (*)(std::string_view, std::string_view)> sections(
        section_before);
    for (const auto& result : run.results) sections[result.subject->section()].push_back(&result);
    const auto failures = [&](const std::vector<const Result*>& results) {
        return std::to_string(std::ranges::count_if(results, [&](const Result* one) { return run.fails(*one); }));
    };
    std::string text =
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"aprotic conform: " + escaped(run.peer) +
        "\" time=\"" + decimal(run.seconds, 3) + "\">\n";
    for (const auto& [section, results] : sections) {
        const Chapter chapter = chapter_of(section);
        text += "  <testsuite name=\"" + section + " " + escaped(chapter.title) + "\" tests=\"" +
                std::to_string(results.size()) + "\" failures=\"" + failures(results) + "\" errors=\"0\" timestamp=\"" +
                run.date + "\">\n";
        for (const Result* result : results) text += junit_of(run, *result);
        text += "  </testsuite>\n";
    }
    return text + "</testsuites>\n";
}

}  // namespace aprotic::conform
