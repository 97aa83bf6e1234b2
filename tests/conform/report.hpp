#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "conform/runner.hpp"

namespace aprotic::conform {

// ---- what all reports are made of -----------------------------------------------------------------------------------

/// One piece of a case's conversation.
struct Exchange {
    std::size_t line = 0;
    double seconds = 0;
    bool ours = false;
    std::string text;  ///< decoded, one line per frame
    std::string hex;   ///< the first octets
};
std::vector<Exchange> exchanges_of(const Result& result, std::size_t octets_max = 256);

/// How a chapter of the specification came out.
struct Score {
    Chapter chapter;
    std::size_t ok = 0, non_strict = 0, failed = 0, recorded = 0, not_judged = 0;

    std::size_t judged() const { return ok + non_strict + failed; }
    void add(Verdict verdict);
};
std::vector<Score> scores_of(const Run& run);

/// "12 ok, 1 not strict, …": what there is none of is left out.
std::string summary_of(const Run& run);

/// Text in lines of at most 110 characters with `indent` before each.
std::string wrapped(std::string_view text, std::string_view indent);

/// A time as a number, with so many digits behind the point.
std::string decimal(double seconds, int digits);

// ---- reports --------------------------------------------------------------------------------------------------------

/// A few lines about one result; more when it is not as it should be.
std::string text_of(const Result& result, bool with_log);
std::string text_of(const Run& run);
/// What the case asks, for --list and --dry-run.
std::string text_of(const Case& one);
std::string json_of(const Run& run);
std::string junit_of(const Run& run);
std::string html_of(const Run& run);

// ---- several runs beside each other ---------------------------------------------------------------------------------

/// What a JSON report says of a run.
struct PastRun {
    std::string peer;
    std::string date;
    struct Entry {
        std::string id, level, verdict, detail;
    };
    std::vector<Entry> cases;
};
/// Reads a JSON report; empty `cases`, and the reason in `why`, when it is none.
PastRun read_json_report(const std::string& json, std::string& why);
std::string compare_as_text(const std::vector<PastRun>& runs);
std::string compare_as_html(const std::vector<PastRun>& runs);

}  // namespace aprotic::conform
