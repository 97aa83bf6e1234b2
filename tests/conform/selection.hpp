#pragma once

#include <string>
#include <vector>

#include "conform/suite.hpp"

namespace aprotic::conform {

/// Which cases a run is about. A word is the id of a case ("2.5.6-c/empty-window"), a clause with all its cases
/// ("2.5.6-c"), a section with all below it ("2.5"), or "@" and a tag or "negative".
struct Selection {
    std::vector<std::string> words{};  ///< none: everything
    std::vector<std::string> without{};
    std::vector<Level> levels{};  ///< none: all
    Mode mode = Mode::server;
};

/// The chosen cases in the suite's order. A word that matches nothing in the whole suite is added to `unknown`.
std::vector<const Case*> select(const Cases& cases, const Selection& selection, std::vector<std::string>& unknown);

}  // namespace aprotic::conform
