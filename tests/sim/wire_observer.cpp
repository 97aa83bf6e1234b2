#include "sim/wire_observer.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include <aprotic/codec/dump.hpp>

namespace aprotic::sim {

using codec::SerialNumber;
namespace condition = codec::condition;
namespace descriptor = codec::descriptor;

namespace {

bool is_before(std::uint32_t a, std::uint32_t b) { return SerialNumber(a).is_before(SerialNumber(b)); }

/// Conditions that one engine of ours never has reason to tell another.
bool is_blame(std::string_view symbol) {
    static constexpr std::array<std::string_view, 14> blames = {condition::decode_error,
                                                                condition::framing_error,
                                                                condition::invalid_field,
                                                                condition::not_allowed,
                                                                condition::illegal_state,
                                                                condition::internal_error,
                                                                condition::window_violation,
                                                                condition::errant_link,
                                                                condition::handle_in_use,
                                                                condition::unattached_handle,
                                                                condition::message_size_exceeded,
                                                                condition::transfer_limit_exceeded,
                                                                condition::stolen,
                                                                condition::frame_size_too_small};
    return std::find(blames.begin(), blames.end(), symbol) != blames.end();
}

}  // namespace

void Journal::note(std::string_view text) noexcept { note(codec::as_bytes(text)); }

void Journal::note(std::span<const std::byte> octets) noexcept {
    for (const std::byte octet : octets) hash = (hash ^ std::to_integer<std::uint64_t>(octet)) * 0x100'0000'01b3;
}

void Journal::violated(std::string what) {
    if (show) show("VIOLATED " + what);
    if (violations.size() < 20) violations.push_back(std::move(what));
}

WireObserver::WireObserver(Journal& journal, const SimReactor& reactor, std::size_t number)
    : journal_(journal), reactor_(reactor), number_(number) {}

WireObserver::~WireObserver() = default;

void WireObserver::violated(std::size_t side, const std::string& what) {
    journal_.violated(fmt::format("{:.6f} s, connection {}, {}: {}",
                                  std::chrono::duration<double>(reactor_.elapsed()).count(), number_,
                                  side == 0 ? "client" : "server", what));
}

void WireObserver::check(std::size_t side, bool holds, std::string_view rule) {
    if (!holds) violated(side, std::string(rule));
}

void WireObserver::written(std::size_t side, std::span<const std::byte> octets) {
    journal_.note(octets);
    Side& writer = sides_[side];
    writer.position += octets.size();
    writer.unparsed.insert(writer.unparsed.end(), octets.begin(), octets.end());
    std::span<const std::byte> rest(writer.unparsed);
    const codec::FrameParser parser(UINT32_MAX);
    while (!rest.empty()) {
        if (rest[0] == std::byte{'A'}) {
            if (rest.size() < codec::ProtocolHeader::size) break;
            check(side, codec::ProtocolHeader::parse(rest.first(codec::ProtocolHeader::size)).has_value(),
                  "a protocol header is malformed [2.2]");
            rest = rest.subspan(codec::ProtocolHeader::size);
            continue;
        }
        const auto step = parser.next(rest);
        if (step.status == codec::FrameParser::Status::need_more) break;
        if (step.status == codec::FrameParser::Status::error) {
            violated(side, "a frame is malformed: " + step.error.message());
            rest = {};
            break;
        }
        rest = rest.subspan(step.size);
        const std::uint64_t left = rest.size();
        writer.flying.push_back({writer.position - left, {}, {}, {}, false});
        frame(side, step.frame);
    }
    writer.unparsed.erase(writer.unparsed.begin(), writer.unparsed.end() - static_cast<std::ptrdiff_t>(rest.size()));
}

void WireObserver::frame(std::size_t side, const codec::FrameView& frame) {
    Side& writer = sides_[side];
    Flying& flying = writer.flying.back();
    ++journal_.frames;
    if (journal_.show) {
        journal_.show(fmt::format("{:12.6f} [{}] {} {}", std::chrono::duration<double>(reactor_.elapsed()).count(),
                                  number_, side == 0 ? "->" : "<-", codec::to_string(frame)));
    }
    if (frame.type != codec::FrameType::amqp) return;
    check(side, !writer.closed, "a frame comes after close [2.4.3-f]");
    if (!frame.is(descriptor::open)) {
        check(side, writer.opened, "a frame comes before open [2.4.1-a]");
        check(side, frame.frame.size() <= writer.frame_size_max, "a frame is larger than the peer takes [2.7.1-h]");
        check(side, frame.channel <= writer.channel_max, "a channel is above the peer's channel-max [2.7.1-k]");
    }
    if (frame.empty()) return;
    const auto take = [&]<class T>(std::in_place_type_t<T>) {
        auto body = frame.as<T>();
        if (body) {
            flying.body = std::move(*body);
        } else {
            violated(side, "a performative cannot be read: " + body.error().message());
        }
    };
    switch (frame.code) {
        case descriptor::open: take(std::in_place_type<codec::Open>); break;
        case descriptor::begin: take(std::in_place_type<codec::Begin>); break;
        case descriptor::attach: take(std::in_place_type<codec::Attach>); break;
        case descriptor::flow: take(std::in_place_type<codec::Flow>); break;
        case descriptor::transfer: take(std::in_place_type<codec::Transfer>); break;
        case descriptor::disposition: take(std::in_place_type<codec::Disposition>); break;
        case descriptor::detach: take(std::in_place_type<codec::Detach>); break;
        case descriptor::end: take(std::in_place_type<codec::End>); break;
        case descriptor::close: take(std::in_place_type<codec::Close>); break;
        default: return violated(side, "a performative is unknown");
    }
    if (const auto* const open = std::get_if<codec::Open>(&flying.body))
        return write(side, frame.channel, *open, flying);
    if (const auto* const close = std::get_if<codec::Close>(&flying.body)) {
        writer.closed = true;
        return check_error(side, close->error);
    }
    if (const auto* const begin = std::get_if<codec::Begin>(&flying.body)) {
        return write(side, frame.channel, *begin, flying);
    }
    const auto found = writer.sessions.find(frame.channel);
    if (found == writer.sessions.end()) return violated(side, "a frame is for a channel without session [2.5.1-f]");
    flying.session = found->second;
    if (const auto* const end = std::get_if<codec::End>(&flying.body)) {
        flying.session->halves[side].ended = true;
        writer.sessions.erase(found);
        return check_error(side, end->error);
    }
    write_in_session(side, flying, frame.payload.size());
}

void WireObserver::check_error(std::size_t side, const std::optional<codec::ErrorCondition>& error) {
    if (error && is_blame(std::string_view(error->condition))) {
        violated(side, "blames the other: " + codec::to_string(*error));
    }
}

// --- what is written -----------------------------------------------------------------------------------------------

void WireObserver::write(std::size_t side, std::uint16_t channel, const codec::Open&, Flying&) {
    check(side, !std::exchange(sides_[side].opened, true), "open comes twice [2.4.1-g]");
    check(side, channel == 0, "open is not on channel 0 [2.4.1-b]");
}

void WireObserver::write(std::size_t side, std::uint16_t channel, const codec::Begin& begin, Flying& flying) {
    Side& writer = sides_[side];
    if (writer.sessions.contains(channel)) return violated(side, "begin comes on a channel in use [2.5.1-e]");
    if (begin.remote_channel) {
        auto& asked = sides_[1 - side].unanswered[*begin.remote_channel];
        if (asked.empty()) return violated(side, "begin answers nobody [2.5.1-d]");
        flying.session = std::move(asked.front());
        asked.pop_front();
    } else {
        flying.session = std::make_shared<Session>();
        writer.unanswered[channel].push_back(flying.session);
    }
    SessionHalf& half = flying.session->halves[side];
    half.begun = true;
    half.incoming_window_max = begin.incoming_window;
    half.initial_id = half.next_outgoing_id = begin.next_outgoing_id;
    writer.sessions[channel] = flying.session;
}

void WireObserver::write_in_session(std::size_t side, Flying& flying, std::size_t payload) {
    Session& session = *flying.session;
    if (const auto* const attach = std::get_if<codec::Attach>(&flying.body)) write(side, session, *attach, flying);
    if (const auto* const flow = std::get_if<codec::Flow>(&flying.body)) write(side, session, *flow, flying);
    if (const auto* const transfer = std::get_if<codec::Transfer>(&flying.body)) {
        ++journal_.transfers;
        write(side, session, *transfer, flying, payload);
    }
    if (const auto* const disposition = std::get_if<codec::Disposition>(&flying.body)) {
        write(side, session, *disposition);
    }
    if (const auto* const detach = std::get_if<codec::Detach>(&flying.body)) write(side, session, *detach, flying);
}

void WireObserver::write(std::size_t side, Session& session, const codec::Attach& attach, Flying& flying) {
    SessionHalf& half = session.halves[side];
    if (half.links.contains(attach.handle)) return violated(side, "attach comes on a handle in use [2.6.2-c]");
    const std::uint32_t handle_max = half.heard_begin ? half.handle_max : 0;
    check(side, attach.handle <= handle_max, "a handle is above the peer's handle-max [2.7.2-b]");
    const std::size_t sender = attach.role == codec::Role::sender ? side : 1 - side;
    std::shared_ptr<Link> link;
    for (const auto& other : session.links) {
        const LinkHalf& theirs = other->halves[1 - side];
        if (other->name == attach.name && other->sender == sender && theirs.attached && !other->halves[side].attached) {
            link = other;
        }
    }
    if (!link) {
        link = std::make_shared<Link>();
        link->name = attach.name;
        link->sender = sender;
        session.links.push_back(link);
    }
    LinkHalf& own = link->halves[side];
    own.attached = true;
    own.handle = attach.handle;
    if (sender == side) {
        check(side, attach.initial_delivery_count.has_value(), "a sender's attach has no delivery-count [2.7.3-j]");
        link->count = attach.initial_delivery_count.value_or(0);
    }
    half.links[attach.handle] = link;
    flying.link = std::move(link);
}

void WireObserver::write(std::size_t side, Session& session, const codec::Flow& flow, Flying& flying) {
    SessionHalf& half = session.halves[side];
    check(side, flow.next_outgoing_id == half.next_outgoing_id, "a flow's next-outgoing-id is wrong [2.5.6-b]");
    if (flow.next_incoming_id) {
        check(side, half.heard_begin, "a flow's next-incoming-id comes before begin was read [2.7.4-a]");
        check(side, !is_before(half.next_incoming_id, *flow.next_incoming_id),
              "a flow's next-incoming-id counts transfers that nobody has read [2.5.6-f]");
        check(side, !half.told || !is_before(*flow.next_incoming_id, half.told_incoming_id),
              "a flow's next-incoming-id runs backwards [2.5.6-f]");
        half.told_incoming_id = *flow.next_incoming_id;
        half.told = true;
    }
    SessionHalf& other = session.halves[1 - side];
    other.told_limit = flow.next_incoming_id.value_or(other.initial_id) + flow.incoming_window;
    other.limit_told = true;
    check(side, flow.incoming_window <= half.incoming_window_max, "a window is larger than it was [2.5.6-i]");
    if (!flow.handle)
        return check(side, !flow.delivery_count && !flow.link_credit, "link fields without link [2.7.4-d]");
    const auto found = half.links.find(*flow.handle);
    if (found == half.links.end()) return violated(side, "a flow is for a handle without link [2.6.2-e]");
    flying.link = found->second;
    Link& link = *found->second;
    if (link.sender == side) {
        check(side, flow.delivery_count.has_value(), "a sender's flow has no delivery-count [2.7.4]");
        const std::uint32_t count = flow.delivery_count.value_or(link.count);
        if (count != link.count) {
            check(side, link.drains, "a sender gives credit back that nobody drains [2.6.7-h]");
            // Not a signed distance: a grant may be anything up to 2^32 - 1.
            check(side, count - link.count <= link.limit - link.count, "a sender gives more credit back than it has");
            link.count = count;
        }
    } else {
        link.told = flow.delivery_count.has_value();
        link.told_count = flow.delivery_count.value_or(0);
        link.told_limit = link.told_count + flow.link_credit.value_or(0);
        check(side, !link.told || link.halves[side].heard_attach,
              "a receiver's flow counts before the attach [2.6.7-o]");
    }
}

void WireObserver::write(std::size_t side, Session& session, const codec::Transfer& transfer, Flying& flying,
                         std::size_t payload) {
    SessionHalf& half = session.halves[side];
    const auto found = half.links.find(transfer.handle);
    if (found == half.links.end()) return violated(side, "a transfer is for a handle without link [2.6.2-e]");
    Link& link = *found->second;
    flying.link = found->second;
    check(side, link.sender == side, "a receiver sends a transfer [2.6.1-a]");
    check(side, link.halves[side].heard_attach, "a transfer comes before the peer's attach [2.6.7-a]");
    check(side, half.heard_begin && half.limit - half.next_outgoing_id - 1 < 0x8000'0000U,
          "a transfer comes outside of the window [2.5.6-f]");
    ++half.next_outgoing_id;
    if (!link.partial) {
        flying.first_transfer = true;
        check(side, link.limited && link.limit != link.count, "a delivery comes without credit [2.6.7-a]");
        ++link.count;
        check(side, transfer.delivery_id && transfer.delivery_tag, "a first transfer has no id or tag [2.7.5-b]");
        const std::uint32_t id = transfer.delivery_id.value_or(half.next_delivery_id);
        check(side, !half.any_delivery || id == half.next_delivery_id, "delivery-ids are not in order [2.7.5-e]");
        half.any_delivery = true;
        half.next_delivery_id = id + 1;
        std::string tag(transfer.delivery_tag ? transfer.delivery_tag->text() : std::string_view());
        check(side, link.tags.insert(tag).second, "a delivery-tag is in use [2.6.12-c]");
        half.deliveries[id] = Delivery{found->second, std::move(tag), {}};
        link.partial = id;
        link.partial_octets = 0;
        link.partial_settled = false;
    } else {
        check(side, !transfer.delivery_id || *transfer.delivery_id == *link.partial,
              "a delivery begins inside of another [2.6.14-d]");
    }
    link.partial_octets += payload;
    const std::uint64_t most = link.halves[side].message_size_max;
    check(side, most == 0 || link.partial_octets <= most, "a message is larger than the peer takes [2.7.3-m]");
    link.partial_settled = link.partial_settled || transfer.settled.value_or(false);
    if (transfer.more && !transfer.aborted) return;
    // Settled by its sender, or aborted, which is the same: nobody says anything about it any more. [2.7.5-t]
    const auto delivery = half.deliveries.find(*link.partial);
    if ((link.partial_settled || transfer.aborted) && delivery != half.deliveries.end()) {
        link.tags.erase(delivery->second.tag);
        half.deliveries.erase(delivery);
    }
    link.partial.reset();
}

void WireObserver::write(std::size_t side, Session& session, const codec::Disposition& disposition) {
    const bool of_receiver = disposition.role == codec::Role::receiver;
    const std::size_t sender = of_receiver ? 1 - side : side;
    SessionHalf& owner = session.halves[sender];
    const std::uint32_t last = disposition.last.value_or(disposition.first);
    check(side, !is_before(last, disposition.first), "a disposition's range runs backwards [2.7.6-d]");
    const std::uint32_t known = of_receiver ? session.halves[side].heard_deliveries : owner.next_delivery_id;
    check(side, is_before(last, known), "a disposition names a delivery that nobody knows [2.7.6-b]");
    if (!disposition.settled) return;
    for (std::uint32_t id = disposition.first; !is_before(last, id); ++id) {
        const auto delivery = owner.deliveries.find(id);
        // Not here: settled by its sender, whose word may not have been read yet.
        if (delivery != owner.deliveries.end()) settle(side, owner, delivery);
    }
}

void WireObserver::settle(std::size_t side, SessionHalf& owner, std::map<std::uint32_t, Delivery>::iterator delivery) {
    check(side, !std::exchange(delivery->second.settled[side], true), "a delivery is settled twice [2.6.12]");
    // Its tag is free as soon as either has settled it, of which the sender knows by then or is the one.
    if (const auto link = delivery->second.link.lock()) link->tags.erase(delivery->second.tag);
    if (delivery->second.settled[0] && delivery->second.settled[1]) owner.deliveries.erase(delivery);
}

void WireObserver::write(std::size_t side, Session& session, const codec::Detach& detach, Flying& flying) {
    SessionHalf& half = session.halves[side];
    const auto found = half.links.find(detach.handle);
    if (found == half.links.end()) return violated(side, "a detach is for a handle without link [2.6.2-e]");
    flying.link = found->second;
    found->second->halves[side].detached = true;
    half.links.erase(found);
    check_error(side, detach.error);
    if (flying.link->halves[1 - side].detached) std::erase(session.links, flying.link);
}

// --- what is read --------------------------------------------------------------------------------------------------

void WireObserver::read(std::size_t side, std::size_t octets) {
    Side& writer = sides_[1 - side];
    sides_[side].read += octets;
    while (!writer.flying.empty() && writer.flying.front().end <= sides_[side].read) {
        hear(side, writer.flying.front());
        writer.flying.pop_front();
    }
}

void WireObserver::hear(std::size_t side, Flying& flying) {
    if (const auto* const open = std::get_if<codec::Open>(&flying.body)) {
        sides_[side].heard_open = true;
        sides_[side].frame_size_max = open->max_frame_size;
        sides_[side].channel_max = open->channel_max;
    }
    if (!flying.session) return;
    Session& session = *flying.session;
    SessionHalf& half = session.halves[side];
    if (const auto* const begin = std::get_if<codec::Begin>(&flying.body)) {
        half.heard_begin = true;
        half.handle_max = begin->handle_max;
        half.next_incoming_id = begin->next_outgoing_id;
        // Nothing of ours was counted when it was written.
        half.limit = half.heard_limit = half.initial_id + begin->incoming_window;
        if (!half.limit_told) half.told_limit = half.limit;
    } else if (const auto* const attach = std::get_if<codec::Attach>(&flying.body); attach && flying.link) {
        flying.link->halves[side].heard_attach = true;
        flying.link->halves[side].message_size_max = attach->max_message_size.value_or(0);
    } else if (const auto* const flow = std::get_if<codec::Flow>(&flying.body)) {
        hear_flow(side, session, *flow, flying.link.get());
    } else if (const auto* const transfer = std::get_if<codec::Transfer>(&flying.body)) {
        ++half.next_incoming_id;
        if (flying.first_transfer && transfer->delivery_id) half.heard_deliveries = *transfer->delivery_id + 1;
    }
}

void WireObserver::hear_flow(std::size_t side, Session& session, const codec::Flow& flow, Link* link) {
    SessionHalf& half = session.halves[side];
    const std::uint32_t limit = flow.next_incoming_id.value_or(half.initial_id) + flow.incoming_window;
    half.heard_limit = limit;
    if (is_before(half.limit, limit)) half.limit = limit;
    if (link == nullptr || link->sender != side) return;
    const std::uint32_t granted = flow.delivery_count.value_or(link->count) + flow.link_credit.value_or(0);
    // The highest that was ever granted: what was built under an older grant may leave under a newer one.
    if (!link->limited || granted - link->count > link->limit - link->count) link->limit = granted;
    link->limited = true;
    link->drains = link->drains || flow.drain;
}

// --- at rest -------------------------------------------------------------------------------------------------------

void WireObserver::check_rest() {
    for (std::size_t side = 0; side < 2; ++side) {
        if (sides_[side].closed || !sides_[side].flying.empty()) return;
    }
    for (const auto& [channel, session] : sides_[0].sessions) {
        for (std::size_t side = 0; side < 2; ++side) {
            const SessionHalf& half = session->halves[side];
            const SessionHalf& other = session->halves[1 - side];
            if (!half.begun || !other.begun || half.ended || other.ended) continue;
            check(side, half.next_outgoing_id == other.next_incoming_id, "transfers were lost on the way");
            check(side, half.told_limit - half.next_outgoing_id - 1 < other.incoming_window_max,
                  "at rest the window is shut, or wider than it may be [2.5.6]");
            check(side, half.heard_limit == half.told_limit, "at rest the sides do not agree on the window [2.5.6]");
        }
    }
}

std::string WireObserver::under_way() const {
    return fmt::format("{} and {} octets under way; ", sides_[0].position - sides_[1].read,
                       sides_[1].position - sides_[0].read);
}

std::optional<std::uint32_t> WireObserver::credit(const std::string& name, std::size_t sender) const {
    for (const auto& [channel, session] : sides_[0].sessions) {
        for (const auto& link : session->links) {
            const bool up = !link->halves[0].detached && !link->halves[1].detached;
            if (up && link->name == name && link->sender == sender && link->told) return link->told_limit - link->count;
        }
    }
    return std::nullopt;
}

}  // namespace aprotic::sim
