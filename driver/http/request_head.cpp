#include <aprotic/driver/http/request_head.hpp>

#include <algorithm>

#include <fmt/format.h>

namespace aprotic::driver::http {
namespace {

bool is_token(std::string_view text) {
    constexpr std::string_view marks = "!#$%&'*+-.^_`|~";
    return !text.empty() && std::ranges::all_of(text, [&](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               marks.find(c) != std::string_view::npos;
    });
}

bool is_field_value(std::string_view text) {
    return std::ranges::none_of(text, [](char c) { return (c >= 0 && c < ' ' && c != '\t') || c == 0x7f; });
}

bool is_host(std::string_view name) {
    constexpr std::string_view lower = "host";
    return std::ranges::equal(name, lower, [](char a, char b) { return (a >= 'A' && a <= 'Z' ? a + 32 : a) == b; });
}

/// Up to the next line end, which goes with it.
std::string_view take_line(std::string_view& rest) {
    const std::size_t end = rest.find("\r\n");
    const std::string_view line = rest.substr(0, end);
    rest.remove_prefix(end + 2);
    return line;
}

/// The path of a request's target, which may be a whole URL. [RFC 9112 3.2]
std::string_view path_of(std::string_view target) {
    constexpr std::string_view scheme = "http://";
    if (target.starts_with(scheme)) {
        const std::size_t slash = target.find('/', scheme.size());
        target = slash == std::string_view::npos ? std::string_view("/") : target.substr(slash);
    }
    return target.substr(0, target.find('?'));
}

std::string_view reason(unsigned status) {
    switch (status) {
        case 200: return "OK";
        case 400: return "Bad Request";
        case 404: return "Not Found";
        case 405: return "Method Not Allowed";
        case 431: return "Request Header Fields Too Large";
        case 503: return "Service Unavailable";
        case 505: return "HTTP Version Not Supported";
        default: return "Error";
    }
}

}  // namespace

std::optional<Answer> read_head(std::string_view octets, std::string_view path) {
    if (octets.starts_with("\r\n")) octets.remove_prefix(2);  // [RFC 9112 2.2]
    const std::size_t end = octets.find("\r\n\r\n");
    if (end == std::string_view::npos || end + 4 > head_octets_max) {
        if (octets.size() > head_octets_max || end != std::string_view::npos) return Answer{431};
        return std::nullopt;
    }
    std::string_view rest = octets.substr(0, end + 2);

    const std::string_view line = take_line(rest);
    const std::size_t first = line.find(' ');
    const std::size_t last = line.rfind(' ');
    if (first == std::string_view::npos || last == first) return Answer{400};
    const std::string_view method = line.substr(0, first);
    const std::string_view target = line.substr(first + 1, last - first - 1);
    const std::string_view version = line.substr(last + 1);
    if (!is_token(method) || target.empty() || target.find(' ') != std::string_view::npos || !is_field_value(target) ||
        !version.starts_with("HTTP/"))
        return Answer{400};
    if (version != "HTTP/1.1" && version != "HTTP/1.0") return Answer{505};

    std::size_t hosts = 0;
    while (!rest.empty()) {
        const std::string_view field = take_line(rest);
        const std::size_t colon = field.find(':');
        if (colon == std::string_view::npos || !is_token(field.substr(0, colon)) ||
            !is_field_value(field.substr(colon + 1)))
            return Answer{400};
        hosts += is_host(field.substr(0, colon)) ? 1 : 0;
    }
    if (hosts > 1 || (hosts == 0 && version == "HTTP/1.1")) return Answer{400};  // [RFC 9112 3.2]

    const bool head = method == "HEAD";
    if (path_of(target) != path) return Answer{404, !head};
    if (!head && method != "GET") return Answer{405};
    return Answer{200, !head};
}

std::string response(Answer answer, std::string_view content_type, std::string_view content) {
    const std::string said = fmt::format("{} {}\n", answer.status, reason(answer.status));
    if (answer.status != 200) {
        content_type = "text/plain; charset=utf-8";
        content = said;
    }
    std::string text = fmt::format(
        "HTTP/1.1 {} {}\r\nContent-Type: {}\r\nContent-Length: {}\r\n{}Connection: close\r\n\r\n", answer.status,
        reason(answer.status), content_type, content.size(), answer.status == 405 ? "Allow: GET, HEAD\r\n" : "");
    if (answer.with_body) text += content;
    return text;
}

}  // namespace aprotic::driver::http
