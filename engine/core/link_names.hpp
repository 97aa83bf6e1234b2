#pragma once

#include <cstddef>
#include <string_view>
#include <unordered_set>
#include <utility>

#include <aprotic/codec/definitions.hpp>

namespace aprotic::engine::core {

class LinkEndpoint;

/// The links of a connection by our role and their name, for as long as they own the name. [2.6.1] Owns nothing; the
/// names are the links' own.
class LinkNames {
public:
    /// Null when no link of this role has the name.
    LinkEndpoint* find(codec::Role our_role, std::string_view name) const;
    /// In the place of another of the same name.
    void insert(LinkEndpoint& link);
    /// Does nothing if another has taken the name.
    void erase(LinkEndpoint& link);

private:
    using Key = std::pair<codec::Role, std::string_view>;
    static Key key_of(const LinkEndpoint* link) noexcept;
    static const Key& key_of(const Key& key) noexcept { return key; }

    struct Hash {
        using is_transparent = void;
        std::size_t operator()(const LinkEndpoint* link) const noexcept { return (*this)(key_of(link)); }
        std::size_t operator()(const Key& key) const noexcept {
            return std::hash<std::string_view>()(key.second) ^ static_cast<std::size_t>(key.first);
        }
    };
    struct Equal {
        using is_transparent = void;
        template <class A, class B>
        bool operator()(const A& a, const B& b) const noexcept {
            return key_of(a) == key_of(b);
        }
    };

    std::unordered_set<LinkEndpoint*, Hash, Equal> links_;
};

}  // namespace aprotic::engine::core
