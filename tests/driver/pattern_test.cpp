// Regular expressions of filters: what they match, what they refuse, and how long they take.
#include <aprotic/driver/bus/pattern.hpp>

#include <catch2/catch.hpp>

using aprotic::driver::bus::Pattern;

namespace {

bool matches(std::string_view pattern, std::string_view text) {
    const auto compiled = Pattern::compile(pattern);
    INFO(pattern);
    INFO(compiled.error());
    REQUIRE(compiled);
    return compiled->matches(text);
}

std::string refusal(std::string_view pattern) {
    const auto compiled = Pattern::compile(pattern);
    INFO(pattern);
    REQUIRE_FALSE(compiled);
    return compiled.error();
}

}  // namespace

TEST_CASE("a pattern matches the beginning of a text") {
    CHECK(matches("", ""));
    CHECK(matches("abc", "abcdef"));
    CHECK_FALSE(matches("abc", "xabc"));
    CHECK_FALSE(matches("abc", "ab"));
    CHECK(matches(".*def", "abcdef"));
    CHECK(matches("abc$", "abc"));
    CHECK(matches("abc$", "abc\n"));
    CHECK_FALSE(matches("abc\\Z", "abc\n"));
    CHECK_FALSE(matches("abc$", "abcd"));
    CHECK(matches("^\\Aabc", "abc"));
    CHECK_FALSE(matches("a^b", "ab"));
    CHECK_FALSE(matches("a.c", "a\nc"));
    CHECK(matches("a|b|", "c"));
    CHECK_FALSE(matches("(a|b)$", "c"));
    CHECK(matches("x(?:a|bc)+y$", "xabcay"));
    CHECK(matches("(?P<name>a)b", "ab"));
    CHECK(matches("(?i)ABC[d-f]$", "abcE"));
    CHECK_FALSE(matches("abc", "ABC"));
}

TEST_CASE("repetitions take as much as fits") {
    CHECK(matches("a*$", ""));
    CHECK(matches("a+?b$", "aaab"));
    CHECK_FALSE(matches("a+b$", "b"));
    CHECK(matches("ab?c$", "ac"));
    CHECK(matches("a{2,3}$", "aaa"));
    CHECK_FALSE(matches("a{2,3}$", "aaaa"));
    CHECK_FALSE(matches("a{2}$", "a"));
    CHECK(matches("a{2,}$", "aaaaa"));
    CHECK(matches("a{,2}b", "aab"));
    CHECK(matches("a{0}b", "b"));
    CHECK(matches("a{x}", "a{x}"));
    CHECK(matches("(a*)*b", "aaab"));
    CHECK(matches("(|a)+b", "ab"));
}

TEST_CASE("classes and escapes are those of Python") {
    CHECK(matches("[a-c]+$", "abc"));
    CHECK_FALSE(matches("[^a-c]", "a"));
    CHECK(matches("[]a]$", "]"));
    CHECK(matches("[a\\]-]+$", "a]-"));
    CHECK(matches("[\\d_]+\\.\\w\\s\\S$", "12_.x y"));
    CHECK(matches("\\D\\W$", "a-"));
    CHECK_FALSE(matches("\\D", "5"));
    CHECK(matches("\\x41\\t\\n\\\\$", "A\t\n\\"));
    CHECK(matches("a\\b-\\Bx", "a-x") == false);
    CHECK(matches("a\\b-\\bx", "a-x"));
    CHECK(matches("\xc3\xa9.$", "\xc3\xa9\xe2\x82\xac"));
    CHECK(matches("[\xc3\xa0-\xc3\xbf]$", "\xc3\xa9"));
    CHECK_FALSE(matches("[^\xc3\xa9]", "\xc3\xa9"));
    CHECK(matches("..$", "\xff\xc3"));
}

TEST_CASE("what is no pattern is refused with the place") {
    using Catch::Contains;
    CHECK_THAT(refusal("a)"), Contains("character 2"));
    CHECK_THAT(refusal("(a"), Contains("a ) that closes"));
    CHECK_THAT(refusal("[a"), Contains("a ] that closes"));
    CHECK_THAT(refusal("*a"), Contains("in front"));
    CHECK_THAT(refusal("a**"), Contains("repeated already"));
    CHECK_THAT(refusal("^*"), Contains("takes no character"));
    CHECK_THAT(refusal("a\\"), Contains("behind the \\"));
    CHECK_THAT(refusal("(a)\\1"), Contains("references back"));
    CHECK_THAT(refusal("(?=a)"), Contains("ahead"));
    CHECK_THAT(refusal("(?<!a)b"), Contains("ahead"));
    CHECK_THAT(refusal("(?P<a"), Contains(">"));
    CHECK_THAT(refusal("[b-a]"), Contains("range"));
    CHECK_THAT(refusal("a{3,2}"), Contains("largest"));
    CHECK_THAT(refusal("a{5000}"), Contains("at most 1000"));
    CHECK_THAT(refusal("((a{1000}){1000}){1000}"), Contains("too large"));
    CHECK_THAT(refusal("\\x4"), Contains("hexadecimal"));
    CHECK_THAT(refusal("[\\"), Contains("]") || Contains("\\"));
    CHECK_THAT(refusal(std::string(1000, '(')), Contains("inside each other"));
}

TEST_CASE("time is in proportion to the text, whatever pattern and text are") {
    // Where backtracking takes for ever.
    const std::string text(100'000, 'a');
    CHECK_FALSE(matches("(a*)*b", text));
    CHECK_FALSE(matches("(a|a)*b", text));
    CHECK_FALSE(matches("(a|aa)+$b", text));
    CHECK(matches("(.*)(.*)(.*)$", text));
}
