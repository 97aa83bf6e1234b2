#pragma once

#include <memory>
#include <utility>
#include <vector>

#include <aprotic/engine/ids.hpp>
#include <aprotic/engine/state/link_state.hpp>

namespace aprotic::engine {

/// The links of a connection by the ids that the engine has given them, which it uses again: so places here are few.
class LinkTable {
public:
    using Link = std::shared_ptr<LinkState>;

    /// Null when nothing has the id.
    LinkState* at(LinkId id) const {
        const bool there = id.index < links_.size() && links_[id.index] && links_[id.index]->id == id;
        return there ? links_[id.index].get() : nullptr;
    }
    Link find(LinkId id) const { return at(id) != nullptr ? links_[id.index] : nullptr; }
    /// `link->id` is known.
    void insert(Link link) {
        const std::size_t at = link->id->index;
        if (at >= links_.size()) links_.resize(at + 1);
        links_[at] = std::move(link);
    }
    Link take(LinkId id) {
        const bool there = find(id) != nullptr;
        return there ? std::exchange(links_[id.index], nullptr) : nullptr;
    }
    void clear() noexcept { links_.clear(); }
    template <class F>
    void for_each(F visit) const {
        for (const Link& link : links_) {
            if (link) visit(link);
        }
    }

private:
    std::vector<Link> links_;
};

}  // namespace aprotic::engine
