#pragma once

#include <string>
#include <string_view>

namespace aprotic::conform {

/// Text as it stands in XML and HTML, between tags and in quotes.
std::string escaped(std::string_view text);

/// The style that all pages of the suite share, with its <style> tags.
std::string_view page_style();

}  // namespace aprotic::conform
