#include <aprotic/engine/core/resumption.hpp>

#include <aprotic/codec/message_view.hpp>

#include <algorithm>

namespace aprotic::engine::core {
namespace {

bool by_tag(const std::pair<codec::DeliveryTag, UnsettledMap::State>& entry, const codec::DeliveryTag& tag) {
    return entry.first < tag;
}

bool has_outcome(const std::optional<codec::DeliveryState>& state) { return state && codec::is_terminal(*state); }

}  // namespace

Fault UnsettledMap::read(const codec::Map& map, bool incomplete) {
    incomplete_ = incomplete;
    entries_.reserve(map.size());
    for (const auto& [key, value] : map) {
        const auto* const tag = key.get_if<codec::Binary>();
        if (tag == nullptr || tag->size() > codec::DeliveryTag::size_max) {
            return link_fault(codec::condition::invalid_field, "2.7.3-e",
                              "a key of the unsettled map is no delivery-tag");
        }
        State state;
        if (const auto* const described = value.get_if<codec::Described>(); described != nullptr) {
            if (auto read = codec::delivery_state_of(value)) state = std::move(*read);
        } else if (!value.is_null()) {
            return link_fault(codec::condition::invalid_field, "2.7.3-e",
                              "a value of the unsettled map is no delivery state");
        }
        entries_.emplace_back(codec::DeliveryTag(tag->span()), std::move(state));
    }
    std::stable_sort(entries_.begin(), entries_.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    return {};
}

const UnsettledMap::State* UnsettledMap::find(const codec::DeliveryTag& tag) const noexcept {
    const auto found = std::lower_bound(entries_.begin(), entries_.end(), tag, by_tag);
    return found != entries_.end() && found->first == tag ? &found->second : nullptr;
}

ResumeStep plan_resume(const KeptDelivery& ours, const UnsettledMap::State* theirs, bool complete) {
    const bool decided = has_outcome(ours.state);
    const bool kept = !ours.state || decided;
    if (theirs == nullptr) {
        if (!complete) return {ResumeAction::wait};
        if (decided) return {ResumeAction::forget, ours.state};     // row 10
        return {kept ? ResumeAction::resend : ResumeAction::lost};  // rows 1 and 5
    }
    if (has_outcome(*theirs)) {
        // Rows 3, 8 and 12; and 13, where ours is what has become of the message.
        if (!decided || ours.state == *theirs) return {ResumeAction::associate, *theirs, true};
        return {ResumeAction::associate, ours.state};
    }
    if (decided || !kept) return {ResumeAction::abort, ours.state};  // rows 7, 9, 11 and 14
    const auto* const received = *theirs ? std::get_if<codec::Received>(&**theirs) : nullptr;
    if (received != nullptr && received->section_number > 0) {
        const auto sections = codec::MessageView::count_sections(ours.payload);
        if (sections && received->section_number >= *sections) return {ResumeAction::associate, *theirs};
    }
    // From the first octet on, whatever the peer has of it: it drops that by itself. Rows 2, 4 and 6.
    return {ResumeAction::resume};
}

std::optional<codec::DeliveryState> wholly_received(const codec::ByteChain& message) {
    const auto sections = codec::MessageView::count_sections(message);
    if (!sections) return std::nullopt;
    return codec::Received{*sections, 0};
}

codec::DeliveryState nothing_kept() { return codec::Received{UINT32_MAX, 0}; }

}  // namespace aprotic::engine::core
