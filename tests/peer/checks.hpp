#pragma once

#include "peer/channel.hpp"

#include <string>

namespace aprotic::peer {

namespace detail {

inline const char* name_of(Cut cut) {
    switch (cut) {
        case Cut::reset: return "stream reset";
        case Cut::eof: return "stream half-closed";
        case Cut::silence: break;
    }
    return "silence";
}

template <class Script>
void run_planned(Script& script, Plan& plan, const std::string& what) {
    try {
        script(plan);
    } catch (const ScriptError& error) {
        throw ScriptError(what + ": " + error.what());
    }
}

}  // namespace detail

/// Runs `script(Plan&)` with the stream whole, octet by octet, and then cut in two at every offset, in both directions.
/// The script must make its machine anew in each run and give the plan to its MemoryChannel. [2.3-h]
template <class Script>
void check_splits(Script script) {
    Plan whole;
    detail::run_planned(script, whole, "whole");
    {
        Plan octets;
        octets.input_chunk = octets.output_chunk = 1;
        detail::run_planned(script, octets, "octet by octet");
    }
    for (std::size_t at = 1; at < whole.input_bytes; ++at) {
        Plan plan;
        plan.split_input_at = at;
        detail::run_planned(script, plan, "input cut at octet " + std::to_string(at));
    }
    for (std::size_t at = 1; at < whole.output_bytes; ++at) {
        Plan plan;
        plan.split_output_at = at;
        detail::run_planned(script, plan, "output cut at octet " + std::to_string(at));
    }
}

/// Runs `script(Plan&)` again and again, breaking the stream at the first step, the second, and so on until a run gets
/// through: once by a reset, once by a half-close and once by silence. What must hold then is Machine::cut's to check.
template <class Script>
void check_failures(Script script) {
    for (const Cut cut : {Cut::reset, Cut::eof, Cut::silence}) {
        for (std::size_t step = 0;; ++step) {
            Plan plan;
            plan.fail_at_step = step;
            plan.cut = cut;
            try {
                detail::run_planned(script, plan,
                                    std::string(detail::name_of(cut)) + " at step " + std::to_string(step));
                break;
            } catch (const StreamCut&) {
            }
        }
    }
}

}  // namespace aprotic::peer
