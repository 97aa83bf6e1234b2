#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

namespace aprotic::driver {

/// Writes figures in Prometheus' text format 0.0.4. A value.
class PrometheusText {
public:
    enum class Type { counter, gauge, histogram };
    using Label = std::pair<std::string_view, std::string_view>;
    using Labels = std::initializer_list<Label>;

    /// What an HTTP response with such a text says it is.
    static constexpr std::string_view content_type = "text/plain; version=0.0.4; charset=utf-8";

    /// Begins a family; all its samples must follow before the next one. Names hold letters, digits, `_` and `:` and do
    /// not begin with a digit; other characters become `_`. `help` may be any text.
    void begin(std::string_view name, Type type, std::string_view help);
    /// One sample of the family begun last. `suffix` is `_bucket`, `_sum` or `_count` in a histogram. The values of
    /// labels may be any text: UTF-8, if the reader is to take it.
    void add(Labels labels, std::uint64_t value, std::string_view suffix = {});
    void add(Labels labels, double value, std::string_view suffix = {});

    const std::string& text() const noexcept { return text_; }

    /// A number as the format has it: "0.0025", "NaN", "+Inf".
    static std::string number(double value);

private:
    void add_text(Labels labels, std::string_view value, std::string_view suffix);

    std::string name_;
    std::string text_;
};

}  // namespace aprotic::driver
