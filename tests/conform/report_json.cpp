#include <algorithm>

#include <aprotic/codec/json.hpp>

#include "conform/report.hpp"

namespace aprotic::conform {
namespace {

std::string quoted(std::string_view text) {
    std::string out;
    codec::append_json_string(out, text);
    return out;
}

std::string list_of(const std::vector<std::string>& texts) {
    std::string out;
    for (const auto& text : texts) out += (out.empty() ? "" : ",") + quoted(text);
    return "[" + out + "]";
}

std::string json_of(const Result& result) {
    const Case& subject = *result.subject;
    std::string text = "{\"id\":" + quoted(subject.id) + ",\"section\":" + quoted(subject.section()) +
                       ",\"mode\":" + quoted(name_of(subject.mode)) + ",\"level\":" + quoted(name_of(subject.level)) +
                       ",\"negative\":" + (subject.negative ? "true" : "false") + ",\"rule\":" + quoted(subject.rule) +
                       ",\"verdict\":" + quoted(name_of(result.verdict)) + ",\"ways\":" + list_of(result.ways) +
                       ",\"notes\":" + list_of(result.notes);
    const std::pair<const char*, const std::string*> texts[] = {
        {"expected", &result.expected}, {"actual", &result.actual}, {"sent", &result.sent},  {"heard", &result.heard},
        {"closing", &result.closing},   {"said", &result.said},     {"known", &result.known}};
    for (const auto& [name, value] : texts)
        if (!value->empty()) text += ",\"" + std::string(name) + "\":" + quoted(*value);
    text += ",\"seconds\":" + decimal(result.seconds, 4) + ",\"runs\":" + std::to_string(result.runs) +
            ",\"other-verdicts\":" + std::to_string(result.other_verdicts) + ",\"exchange\":[";
    bool first = true;
    for (const auto& exchange : exchanges_of(result, SIZE_MAX)) {
        text += std::string(first ? "" : ",") + "{\"line\":" + std::to_string(exchange.line) +
                ",\"seconds\":" + decimal(exchange.seconds, 4) +
                ",\"from\":" + (exchange.ours ? "\"suite\"" : "\"peer\"") + ",\"octets\":" + quoted(exchange.hex) + "}";
        first = false;
    }
    return text + "]}";
}

}  // namespace

std::string json_of(const Run& run) {
    std::string text = "{\"suite\":\"aprotic conform\",\"peer\":" + quoted(run.peer) +
                       ",\"address\":" + quoted(run.address) + ",\"date\":" + quoted(run.date) +
                       ",\"seconds\":" + decimal(run.seconds, 4) + ",\"strict\":" + (run.strict ? "true" : "false") +
                       ",\"failed\":" + (run.failed() ? "true" : "false") + ",\"sections\":[";
    bool first = true;
    for (const auto& score : scores_of(run)) {
        text += std::string(first ? "" : ",") + "{\"section\":" + quoted(score.chapter.number) +
                ",\"title\":" + quoted(score.chapter.title) + ",\"ok\":" + std::to_string(score.ok) +
                ",\"non-strict\":" + std::to_string(score.non_strict) + ",\"failed\":" + std::to_string(score.failed) +
                ",\"informational\":" + std::to_string(score.recorded) +
                ",\"not-judged\":" + std::to_string(score.not_judged) + "}";
        first = false;
    }
    text += "],\"cases\":[";
    for (const auto& result : run.results) text += (&result == run.results.data() ? "\n" : ",\n") + json_of(result);
    return text + "\n]}\n";
}

PastRun read_json_report(const std::string& json, std::string& why) {
    PastRun run;
    codec::DecodeLimits limits;
    limits.elements_max = 10'000'000;
    limits.bytes_max = SIZE_MAX;
    const auto parsed = codec::parse_json(json, limits);
    if (!parsed) {
        why = parsed.error().to_string();
        return run;
    }
    const auto text = [](const codec::Map& map, std::string_view name) {
        const codec::Value* value = map.find(name);
        return std::string(value == nullptr ? "" : value->to_text().value_or(""));
    };
    const auto* members = parsed->get_if<codec::Map>();
    const codec::Value* cases = members == nullptr ? nullptr : members->find("cases");
    const auto* list = cases == nullptr ? nullptr : cases->get_if<codec::List>();
    if (list == nullptr || text(*members, "suite") != "aprotic conform") {
        why = "no report of aprotic conform";
        return run;
    }
    run.peer = text(*members, "peer");
    run.date = text(*members, "date");
    for (const auto& item : *list) {
        const auto* one = item.get_if<codec::Map>();
        if (one == nullptr) continue;
        std::string detail = text(*one, "actual");
        const codec::Value* ways = one->find("ways");
        if (const auto* taken = ways == nullptr ? nullptr : ways->get_if<codec::List>(); taken && detail.empty())
            for (const auto& way : *taken) detail += (detail.empty() ? "" : "; ") + std::string(*way.to_text());
        run.cases.push_back({text(*one, "id"), text(*one, "level"), text(*one, "verdict"), detail});
    }
    if (run.cases.empty()) why = "a report without cases";
    return run;
}

}  // namespace aprotic::conform
