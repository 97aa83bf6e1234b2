#pragma once

#include <functional>

#include "fuzzer/script.hpp"

namespace aprotic::fuzzer {

/// Whether a script still shows what was found. Says it to the peer, so it takes as long as that.
using StillFinds = std::function<bool(const Script&)>;

/// The shortest script that still finds: without steps that do not matter, first many at once and then one by one;
/// then in what is left without splits, waits, payloads and fields that do not matter, and with short texts. `trials`
/// bounds how often `finds` is asked.
Script shrink(Script script, const StillFinds& finds, unsigned trials);

}  // namespace aprotic::fuzzer
