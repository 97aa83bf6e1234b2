#include <aprotic/driver/prometheus.hpp>

#include <cmath>

#include <fmt/format.h>

namespace aprotic::driver {
namespace {

std::string valid_name(std::string_view name) {
    std::string valid;
    for (const char c : name) {
        const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == ':';
        const bool digit = c >= '0' && c <= '9';
        if (digit && valid.empty()) valid += '_';
        valid += letter || digit ? c : '_';
    }
    return valid.empty() ? "_" : valid;
}

/// Backslashes and line ends always, quotes only where a text stands between them.
std::string escaped(std::string_view text, bool quoted) {
    std::string result;
    for (const char c : text) {
        if (c == '\\')
            result += "\\\\";
        else if (c == '\n')
            result += "\\n";
        else if (c == '"' && quoted)
            result += "\\\"";
        else
            result += c;
    }
    return result;
}

std::string_view word(PrometheusText::Type type) {
    switch (type) {
        case PrometheusText::Type::counter: return "counter";
        case PrometheusText::Type::gauge: return "gauge";
        case PrometheusText::Type::histogram: return "histogram";
    }
    return "untyped";
}

}  // namespace

void PrometheusText::begin(std::string_view name, Type type, std::string_view help) {
    name_ = valid_name(name);
    text_ += fmt::format("# HELP {} {}\n# TYPE {} {}\n", name_, escaped(help, false), name_, word(type));
}

void PrometheusText::add(Labels labels, std::uint64_t value, std::string_view suffix) {
    add_text(labels, fmt::to_string(value), suffix);
}

void PrometheusText::add(Labels labels, double value, std::string_view suffix) {
    add_text(labels, number(value), suffix);
}

std::string PrometheusText::number(double value) {
    if (std::isnan(value)) return "NaN";
    if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
    return fmt::to_string(value);
}

void PrometheusText::add_text(Labels labels, std::string_view value, std::string_view suffix) {
    text_.append(name_).append(suffix);
    char separator = '{';
    for (const auto& [label, content] : labels) {
        std::string name = valid_name(label);
        for (char& c : name)  // of metrics alone
            if (c == ':') c = '_';
        text_ += fmt::format("{}{}=\"{}\"", separator, name, escaped(content, true));
        separator = ',';
    }
    if (labels.size() > 0) text_ += '}';
    text_.append(" ").append(value).append("\n");
}

}  // namespace aprotic::driver
