#include <aprotic/driver/bus/option_text.hpp>

#include <algorithm>
#include <iterator>

#include <fmt/ranges.h>

#include <aprotic/driver/profile.hpp>

namespace aprotic::driver::bus {
namespace {

std::string in_lower_case(std::string_view text) {
    std::string result(text);
    std::ranges::transform(result, result.begin(),
                           [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
    return result;
}

/// Lists are written with blanks, commas, or a line for each.
std::vector<std::string> words_of(std::string_view text) {
    constexpr std::string_view separators = " ,\t\n";
    std::vector<std::string> words;
    while (true) {
        const auto begin = text.find_first_not_of(separators);
        if (begin == std::string_view::npos) return words;
        text.remove_prefix(begin);
        const auto end = std::min(text.find_first_of(separators), text.size());
        words.emplace_back(text.substr(0, end));
        text.remove_prefix(end);
    }
}

constexpr Intermediary intermediaries[] = {
    Intermediary::automatic,   Intermediary::qpidd,   Intermediary::router,   Intermediary::rabbitmq_3,
    Intermediary::rabbitmq_4,  Intermediary::artemis, Intermediary::activemq, Intermediary::broker_j,
    Intermediary::service_bus, Intermediary::other};

}  // namespace

// ---- text to values -------------------------------------------------------------------------------------------------

ValueRead read_value(std::string_view text, std::string& value) {
    value = text;
    return {};
}

ValueRead read_value(std::string_view text, std::vector<std::string>& value) {
    value = words_of(text);
    return {};
}

ValueRead read_value(std::string_view text, bool& value) {
    const std::string word = in_lower_case(text);
    if (word == "true" || word == "1" || word == "yes" || word == "on")
        value = true;
    else if (word == "false" || word == "0" || word == "no" || word == "off")
        value = false;
    else
        return std::string("true or false was expected");
    return {};
}

ValueRead read_value(std::string_view text, Duration& value) {
    double seconds = 0;
    // Ten years: far beyond any use, far below where nanoseconds run out.
    constexpr double seconds_max = 10.0 * 365 * 24 * 3600;
    if (!read_value(text, seconds) || !(seconds >= 0 && seconds <= seconds_max))
        return fmt::format("a time in seconds was expected, up to {}", seconds_max);
    value = std::chrono::duration_cast<Duration>(std::chrono::duration<double>(seconds));
    return {};
}

ValueRead read_value(std::string_view text, std::optional<Duration>& value) {
    Duration given{};
    APROTIC_TRY(read_value(text, given));
    value = given > Duration::zero() ? std::optional(given) : std::nullopt;
    return {};
}

ValueRead read_value(std::string_view text, PreSettled& value) {
    PreSettled given{false, false, false, false};
    for (const auto& part : words_of(text)) {
        const std::string word = in_lower_case(part);
        if (word == "rpc-call")
            given.rpc_call = true;
        else if (word == "rpc-reply")
            given.rpc_reply = true;
        else if (word == "rpc-cast")
            given.rpc_cast = true;
        else if (word == "notify")
            given.notify = true;
        else if (word != "none")
            return std::string("a list of rpc-call, rpc-reply, rpc-cast, notify, or none was expected");
    }
    value = given;
    return {};
}

ValueRead read_value(std::string_view text, AddressingMode& value) {
    const std::string word = in_lower_case(text);
    if (word == "legacy")
        value = AddressingMode::legacy;
    else if (word == "routable")
        value = AddressingMode::routable;
    else if (word == "dynamic")
        value = AddressingMode::dynamic;
    else
        return std::string("legacy, routable or dynamic was expected");
    return {};
}

ValueRead read_value(std::string_view text, Intermediary& value) {
    const std::string word = in_lower_case(text);
    const auto* const known =
        std::ranges::find_if(intermediaries, [&](Intermediary each) { return name_of(each) == word; });
    if (known == std::end(intermediaries)) {
        std::vector<std::string_view> names;
        for (const auto each : intermediaries) names.push_back(name_of(each));
        return fmt::format("one of {} was expected", fmt::join(names, ", "));
    }
    value = *known;
    return {};
}

ValueRead read_value(std::string_view text, std::vector<NotifierDriver>& value) {
    value.clear();
    for (const auto& word : words_of(text)) {
        const auto driver = notifier_driver_named(word);
        if (!driver) return std::string("messaging, messagingv2, log, routing, test or noop was expected");
        value.push_back(*driver);
    }
    return {};
}

// ---- values to text -------------------------------------------------------------------------------------------------

std::string text_of(const std::string& value) { return value; }
std::string text_of(const std::vector<std::string>& value) { return fmt::format("{}", fmt::join(value, " ")); }
std::string text_of(bool value) { return value ? "true" : "false"; }
std::string text_of(Duration value) { return fmt::format("{}", std::chrono::duration<double>(value).count()); }
std::string text_of(const std::optional<Duration>& value) { return text_of(value.value_or(Duration::zero())); }

std::string text_of(const PreSettled& value) {
    std::vector<std::string_view> words;
    if (value.rpc_cast) words.push_back("rpc-cast");
    if (value.rpc_reply) words.push_back("rpc-reply");
    if (value.rpc_call) words.push_back("rpc-call");
    if (value.notify) words.push_back("notify");
    return words.empty() ? "none" : fmt::format("{}", fmt::join(words, ","));
}

std::string text_of(const std::vector<NotifierDriver>& value) {
    std::vector<std::string_view> names;
    for (const auto driver : value) names.push_back(name_of(driver));
    return fmt::format("{}", fmt::join(names, " "));
}

std::string text_of(AddressingMode value) {
    switch (value) {
        case AddressingMode::legacy: return "legacy";
        case AddressingMode::routable: return "routable";
        case AddressingMode::dynamic: return "dynamic";
    }
    return {};
}

std::string text_of(Intermediary value) { return std::string(name_of(value)); }

}  // namespace aprotic::driver::bus
