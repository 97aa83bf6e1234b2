#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

#include <aprotic/codec/definitions.hpp>

namespace aprotic::engine::core {

class LinkEndpoint;

/// The links of a connection by our role and their name, for as long as they own the name. [2.6.1] Owns nothing; the
/// names are the links' own. Open addressing: a link takes a pointer or two.
class LinkNames {
public:
    /// Null when no link of this role has the name.
    LinkEndpoint* find(codec::Role our_role, std::string_view name) const;
    /// In the place of another of the same name.
    void insert(LinkEndpoint& link);
    /// Does nothing if another has taken the name.
    void erase(LinkEndpoint& link);

private:
    std::size_t mask() const noexcept { return places_.size() - 1; }
    std::size_t home(codec::Role role, std::string_view name) const noexcept;
    std::size_t home(const LinkEndpoint& link) const noexcept;
    /// Where the link of this role and name is, or could be. Only while there are places.
    std::size_t place_of(codec::Role role, std::string_view name) const noexcept;
    void grow();

    std::vector<LinkEndpoint*> places_;  // a power of two, or none
    std::size_t size_ = 0;
};

}  // namespace aprotic::engine::core
