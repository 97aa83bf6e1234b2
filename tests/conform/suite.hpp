#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace aprotic::conform {

class Context;

/// How binding the rule is that a case judges.
enum class Level {
    must,         ///< the text says MUST, or a definition, diagram or table leaves no choice
    should,       ///< SHOULD or RECOMMENDED: what breaks it is counted with --strict only
    informative,  ///< what a peer may do, or what the text leaves open: recorded, no fault
};

/// Which end of the connection the peer under test is.
enum class Mode {
    server,  ///< we connect to it
    client,  ///< it connects to us
};

/// One question to a peer. Cases are written down in tables, one file per section of the specification.
struct Case {
    std::string id{};  ///< "2.5.6-c" or "2.5.6-c/empty-window": a clause, and what tells several cases of it apart
    Level level = Level::must;
    std::string rule{};                ///< in our own words
    std::string sends{};               ///< what the suite does
    std::string accepts{};             ///< what the peer may answer, the best first
    bool negative = false;             ///< the suite breaks a rule; the peer is asked afterwards whether it still lives
    std::vector<std::string> needs{};  ///< capabilities of the peer's profile, without which the case is not run
    std::vector<std::string> clauses{};  ///< judged besides the one that the id names
    std::vector<std::string> tags{};     ///< for selection: "slow", "idle", …
    Mode mode = Mode::server;
    std::function<void(Context&)> run{};

    /// "2.5.6"
    std::string section() const { return id.substr(0, id.find('-')); }
    /// "2.5.6-c"
    std::string clause() const { return id.substr(0, id.find('/')); }
};

using Cases = std::vector<Case>;

/// Every case, in the order of the specification's table of contents.
const Cases& all_cases();

// One table per file.
Cases type_encodings();       // 1
Cases type_notation();        // 1.3
Cases version_negotiation();  // 2.2
Cases framing();              // 2.3
Cases connections();          // 2.4
Cases idle_time_out();        // 2.4.5
Cases sessions();             // 2.5
Cases session_windows();      // 2.5.6
Cases names_and_handles();    // 2.6.1
Cases life_of_links();        // 2.6.3
Cases flow_control();         // 2.6.7
Cases settlement();           // 2.6.12
Cases large_messages();       // 2.6.14
Cases performatives();        // 2.7
Cases transfers();            // 2.7.5
Cases definitions();          // 2.8
Cases message_format();       // 3.2
Cases message_header();       // 3.2.1
Cases no_messages();          // 3.2
Cases delivery_state();       // 3.4
Cases sources_and_targets();  // 3.5
Cases transactions();         // 4
Cases transactional_work();   // 4.4
Cases sasl();                 // 5.3
Cases known_bugs();           // of other libraries, each at the clause that it breaks

// Cases of clients.
Cases client_version_negotiation();  // 2.2
Cases client_framing();              // 2.3
Cases client_connections();          // 2.4 and open
Cases client_sessions();             // 2.5 and begin
Cases client_links();                // 2.6 and attach
Cases client_flow_control();         // 2.6.7 and flow
Cases client_sending();              // 2.7.5 and 2.7.6
Cases client_receiving();            // 2.7.5 and part 3
Cases client_sasl();                 // 5.3

/// The part of the specification that a section belongs to: "2.5 Sessions" for "2.5.6".
struct Chapter {
    std::string number;
    std::string title;
};
Chapter chapter_of(std::string_view section);

std::string_view name_of(Level level);
std::string_view name_of(Mode mode);

/// Orders "2.4.10" behind "2.4.9".
bool section_before(std::string_view a, std::string_view b);

}  // namespace aprotic::conform
