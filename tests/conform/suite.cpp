#include "conform/suite.hpp"

#include <algorithm>
#include <array>
#include <charconv>

namespace aprotic::conform {
namespace {

std::vector<unsigned> numbers_of(std::string_view section) {
    std::vector<unsigned> numbers;
    while (!section.empty()) {
        unsigned number = 0;
        const auto end = std::from_chars(section.data(), section.data() + section.size(), number).ptr;
        numbers.push_back(number);
        section.remove_prefix(static_cast<std::size_t>(end - section.data()));
        section.remove_prefix(section.empty() ? 0 : 1);
    }
    return numbers;
}

const std::array<Chapter, 20> chapters = {{
    {"0", "Conformance"},
    {"1", "Types"},
    {"2.1", "Transport"},
    {"2.2", "Version negotiation"},
    {"2.3", "Framing"},
    {"2.4", "Connections"},
    {"2.5", "Sessions"},
    {"2.6", "Links"},
    {"2.7", "Performatives"},
    {"2.8", "Definitions"},
    {"3.1", "Messaging"},
    {"3.2", "Message format"},
    {"3.3", "Distribution nodes"},
    {"3.4", "Delivery state"},
    {"3.5", "Sources and targets"},
    {"4", "Transactions"},
    {"5.1", "Security"},
    {"5.2", "TLS"},
    {"5.3", "SASL"},
    {"X", "Extensions"},
}};

}  // namespace

const Cases& all_cases() {
    static const Cases cases = [] {
        Cases all;
        for (auto* table : {type_encodings,
                            type_notation,
                            version_negotiation,
                            framing,
                            connections,
                            idle_time_out,
                            sessions,
                            session_windows,
                            names_and_handles,
                            life_of_links,
                            flow_control,
                            settlement,
                            large_messages,
                            performatives,
                            transfers,
                            definitions,
                            message_format,
                            message_header,
                            no_messages,
                            delivery_state,
                            sources_and_targets,
                            transactions,
                            transactional_work,
                            sasl,
                            client_version_negotiation,
                            client_framing,
                            client_connections,
                            client_sessions,
                            client_links,
                            client_flow_control,
                            client_sending,
                            client_receiving,
                            client_sasl,
                            known_bugs})
            for (auto& one : table()) all.push_back(std::move(one));
        std::ranges::stable_sort(all,
                                 [](const Case& a, const Case& b) { return section_before(a.section(), b.section()); });
        return all;
    }();
    return cases;
}

Chapter chapter_of(std::string_view section) {
    for (const auto& chapter : chapters) {
        const bool within = section.starts_with(chapter.number) &&
                            (section.size() == chapter.number.size() || section[chapter.number.size()] == '.');
        if (within) return chapter;
    }
    return {std::string(section), ""};
}

std::string_view name_of(Level level) {
    switch (level) {
        case Level::must: return "must";
        case Level::should: return "should";
        case Level::informative: break;
    }
    return "informative";
}

std::string_view name_of(Mode mode) { return mode == Mode::server ? "server" : "client"; }

bool section_before(std::string_view a, std::string_view b) { return numbers_of(a) < numbers_of(b); }

}  // namespace aprotic::conform
