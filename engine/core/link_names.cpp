#include <aprotic/engine/core/link_endpoint.hpp>
#include <aprotic/engine/core/link_names.hpp>

namespace aprotic::engine::core {

LinkNames::Key LinkNames::key_of(const LinkEndpoint* link) noexcept { return {link->role(), link->name()}; }

LinkEndpoint* LinkNames::find(codec::Role our_role, std::string_view name) const {
    const auto found = links_.find(Key(our_role, name));
    return found == links_.end() ? nullptr : *found;
}

void LinkNames::insert(LinkEndpoint& link) {
    links_.erase(&link);
    links_.insert(&link);
}

void LinkNames::erase(LinkEndpoint& link) {
    if (const auto found = links_.find(&link); found != links_.end() && *found == &link) links_.erase(found);
}

}  // namespace aprotic::engine::core
