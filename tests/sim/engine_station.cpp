#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include <aprotic/codec/message.hpp>
#include <aprotic/codec/message_view.hpp>

#include "sim/engine_world.hpp"

// What an application does on one side of one connection, and what it must be told.

namespace aprotic::sim::engines {

using namespace std::chrono_literals;

Known& Station::known(std::uint64_t number) { return world_.known(number); }

// --- the connection ------------------------------------------------------------------------------------------------

void Station::start(std::unique_ptr<Stream> stream, const ConnectionOptions& options) {
    const auto role = side_ == 0 ? EngineRole::client : EngineRole::server;
    Engine made(role, options, world_.reactor.now(), world_.prng.next(), true);
    pump_ = std::make_shared<io::Pump>(world_.reactor, std::move(made), std::move(stream),
                                       std::weak_ptr<io::Pump::Client>(shared_from_this()));
    if (side_ == 0) {
        static_cast<void>(engine().open());
        attach_all();  // pipelined
    }
    wake();
}

void Station::on_event(Event& event) {
    if (ended_) return world_.violated("an event after the last one");
    std::visit([this](auto& e) { on(e); }, event);
}

void Station::on(ConnectionOpened&) {
    opened_ = true;
    if (side_ == 1) static_cast<void>(engine().open());
}

void Station::on(ConnectionEnded& e) {
    ended_ = true;
    world_.say(fmt::format("side {} ended: {}", side_, e.failure ? e.failure->message() : "in order"));
    if (!links_.empty()) world_.violated("a connection ends before its links");
}

void Station::on_finished() {
    if (!ended_) world_.violated("a connection ends without an event");
    world_.ended(side_);
}

void Station::on(SessionOpened&) {}

void Station::on(SessionEnded& e) {
    std::erase_if(sessions_, [&](const auto& entry) { return entry.second == e.session; });
    if (side_ == 0) {
        world_.after(world_.draw(300ms), [self = shared_from_this()] { self->attach_all(); });
    }
}

void Station::end_session(std::size_t index) {
    const auto found = sessions_.find(index);
    if (found == sessions_.end()) return;
    world_.say("a session ends");
    static_cast<void>(engine().end(found->second));
    wake();
}

// --- links ---------------------------------------------------------------------------------------------------------

LinkOptions Station::options_for(Route& route, bool sends) const {
    LinkOptions options;
    options.name = route.name;
    options.role = sends ? codec::Role::sender : codec::Role::receiver;
    options.snd_settle_mode = route.snd_mode;
    options.rcv_settle_mode = route.rcv_mode;
    options.source.emplace().address = route.name;
    codec::Target target;
    target.address = route.name;
    options.target = codec::AttachTarget(std::move(target));
    if (!sends) options.stream_window = route.stream_window;
    options.resumable = route.resumable;
    options.suspended = world_.memory(side_, route).suspended;
    return options;
}

/// The client asks for all links, those that were lost again.
void Station::attach_all() {
    if (ended_ || !pump_ || world_.closing()) return;
    bool missing = false;
    for (Route& route : world_.routes()) {
        if (world_.memory(side_, route).busy) continue;
        if (!sessions_.contains(route.session)) {
            const auto begun = engine().begin();
            if (!begun) continue;
            sessions_.emplace(route.session, *begun);
        }
        const bool sends = route.sender == side_;
        const auto id = engine().attach(sessions_.at(route.session), options_for(route, sends));
        if (id) {
            add(*id, route, sends);
        } else {
            missing = true;
        }
    }
    if (missing) world_.after(20ms + world_.draw(200ms), [self = shared_from_this()] { self->attach_all(); });
    wake();
}

void Station::add(LinkId id, Route& route, bool sends) {
    Memory& memory = world_.memory(side_, route);
    memory.busy = true;
    LinkEnd& end = links_[id];
    end.route = &route;
    end.sends = sends;
    const auto find = [&](const std::string& tag) { return engine().find_delivery(id, codec::DeliveryTag(tag)); };
    for (auto& [tag, message] : memory.outgoing) {
        const auto delivery = find(tag);
        if (delivery) {
            end.outgoing.emplace(*delivery, message);
        } else {
            world_.violated(fmt::format("the sender has forgotten delivery {}", tag));
        }
    }
    for (auto& [tag, message] : memory.incoming) {
        if (const auto delivery = find(tag)) end.incoming.emplace(*delivery, message);
    }
    if (sends) return;
    static_cast<void>(engine().set_credit(id, route.credit));
}

void Station::on(LinkRequested& e) {
    Route* const route = world_.route(e.remote.name);
    if (route == nullptr) return world_.violated("a link that nobody knows is asked for");
    const bool sends = codec::opposite(e.remote.role) == codec::Role::sender;
    if (sends != (route->sender == side_)) return world_.violated("a link is asked for the wrong way round");
    if (world_.memory(side_, *route).busy) {
        static_cast<void>(engine().refuse(e.link, {codec::Symbol(codec::condition::resource_locked), {}, {}}));
        return wake();
    }
    if (!engine().accept(e.link, options_for(*route, sends))) return;
    add(e.link, *route, sends);
    opened(e.link);
    wake();
}

void Station::on(LinkOpened& e) { opened(e.link); }

void Station::opened(LinkId id) {
    LinkEnd& end = links_.at(id);
    end.up = true;
    Memory& memory = world_.memory(side_, *end.route);
    memory.suspended.reset();
    memory.outgoing.clear();
    memory.incoming.clear();
    world_.say(fmt::format("{} is open at side {}", end.route->name, side_));
    // What was left unanswered when the link went.
    for (auto& [delivery, message] : end.incoming) {
        if (message.answered) continue;
        world_.after(world_.draw(1s),
                     [self = shared_from_this(), id, delivery = delivery] { self->answer(id, delivery, 0); });
    }
    if (end.sends) fill(id);
    if (!end.sends) static_cast<void>(engine().set_credit(id, end.route->credit));
}

void Station::suspend(Route& route, bool closed) {
    for (auto& [id, end] : links_) {
        if (end.route != &route || !end.up) continue;
        world_.say(fmt::format("{} is {}", route.name, closed ? "closed" : "suspended"));
        static_cast<void>(engine().detach(id, closed));
        end.up = false;
        return wake();
    }
}

void Station::on(LinkDetaching& e) {
    static_cast<void>(engine().detach(e.link, e.closed));
    const auto found = links_.find(e.link);
    if (found != links_.end()) found->second.up = false;
    wake();
}

void Station::on(LinkDetached& e) {
    const auto found = links_.find(e.link);
    if (found == links_.end()) return;  // refused by us
    LinkEnd end = std::move(found->second);
    links_.erase(found);
    world_.say(fmt::format("{} is detached at side {}{}", end.route->name, side_, e.closed ? ", closed" : ""));
    gone(end, e);
    if (side_ == 0) {
        world_.after(5ms + world_.draw(world_.calm ? Duration(50ms) : Duration(500ms)),
                     [self = shared_from_this()] { self->attach_all(); });
    }
}

/// What becomes of the messages of a link that has gone.
void Station::gone(LinkEnd& end, const LinkDetached& event) {
    Memory& memory = world_.memory(side_, *end.route);
    memory.busy = false;
    for (const std::uint64_t number : end.sent_settled) known(number).doubtful = true;
    // Refused, or lost before the peer answered: what was known before is known still.
    if (!end.up && memory.suspended && !event.suspended) return;
    if (event.refused) return;
    std::set<std::string> kept;
    if (event.suspended) {
        for (const auto& delivery : event.suspended->deliveries) kept.emplace(delivery.tag.text());
        memory.suspended = event.suspended;
        memory.outgoing.clear();
        memory.incoming.clear();
    }
    for (auto& [id, message] : end.outgoing) {
        if (kept.contains(message.tag)) {
            memory.outgoing.emplace(message.tag, message);
            continue;
        }
        if (message.done) continue;
        Known& about = known(message.number);
        if (message.settled) {
            // Whether it has left is not known.
            about.doubtful = about.finished = true;
            continue;
        }
        // Never on the wire, or nobody can say: a receiver that has it may get it twice, unless both remember.
        if (!end.route->resumable || event.closed) ++about.unsure;
        again(message);
    }
    for (auto& [id, message] : end.incoming) {
        if (!message.whole) continue;
        if (kept.contains(message.tag)) memory.incoming.emplace(message.tag, message);
    }
}

void Station::again(Outgoing& message) { world_.routes()[known(message.number).route].due.insert(message.number); }

void Station::drain(Route& route) {
    for (auto& [id, end] : links_) {
        if (end.route != &route || end.sends || !end.up) continue;
        world_.say("drain");
        static_cast<void>(engine().drain(id));
        wake();
    }
}

void Station::on(LinkFlowed& e) {
    const auto found = links_.find(e.link);
    if (found == links_.end() || !found->second.up) return;
    if (found->second.sends) return fill(e.link);
    grant(e.link, found->second);
}

void Station::grant(LinkId link, LinkEnd& end) {
    const auto status = engine().status(link);
    if (!status || status->draining || !end.up) return;
    if (status->credit > end.route->credit) world_.violated("more credit than was granted");
    if (status->credit > end.route->credit / 2) return;
    static_cast<void>(engine().set_credit(link, world_.prng.one_in(5) ? 1 : end.route->credit));
    wake();
}

// --- sending -------------------------------------------------------------------------------------------------------

void Station::fill(LinkId id) {
    LinkEnd& end = links_.at(id);
    while (end.up && end.outgoing.size() < end.route->ahead && !end.route->due.empty()) {
        const std::uint64_t number = *end.route->due.begin();
        end.route->due.erase(end.route->due.begin());
        send(id, end, number);
    }
    wake();
}

void Station::send(LinkId id, LinkEnd& end, std::uint64_t number) {
    const Route& route = *end.route;
    Known& about = known(number);
    const codec::EncodedMessage message = codec::encode(codec::Message(message_text(number, about.size)));
    Outgoing entry;
    entry.number = number;
    entry.tag = world_.next_tag(number);
    SendOptions how;
    how.tag = codec::DeliveryTag(entry.tag);
    how.settled = route.presettled_one_in != 0 && world_.prng.one_in(route.presettled_one_in);
    entry.settled = route.snd_mode == codec::SenderSettleMode::settled ||
                    (route.snd_mode == codec::SenderSettleMode::mixed && how.settled);
    entry.in_parts = route.parts_one_in != 0 && world_.prng.one_in(route.parts_one_in);
    const auto delivery = entry.in_parts ? engine().begin_send(id, how) : engine().send(id, message, how);
    if (!delivery) {
        // The link is going and we have not heard of it yet.
        end.up = false;
        return again(entry);
    }
    ++about.attempts;
    world_.say(fmt::format("message {} goes as {}", number, entry.tag));
    Outgoing& placed = end.outgoing.emplace(*delivery, std::move(entry)).first->second;
    if (!placed.in_parts) return;
    placed.open = true;
    placed.left = message.octets().to_string();
    append(*delivery, placed);
}

void Station::append(DeliveryId id, Outgoing& message) {
    if (!message.open) return;
    if (!world_.calm && world_.prng.one_in(15)) {
        if (engine().abort_send(id)) {
            world_.say(fmt::format("{} is aborted", message.tag));
            message.open = false;
            again(message);
            --known(message.number).attempts;
            for (auto& [link, end] : links_) end.outgoing.erase(id);
            return wake();
        }
    }
    const std::size_t size = std::min<std::size_t>(message.left.size(), 1 + world_.prng.below(2000));
    const codec::Bytes part = codec::Bytes::copy_of(std::string_view(message.left).substr(0, size));
    if (size > 0 && !engine().append(id, codec::ByteChain(part))) {
        message.open = false;  // the link is going, and we have not heard of it yet
        return;
    }
    message.left.erase(0, size);
    if (message.left.empty()) {
        message.open = false;
        static_cast<void>(engine().finish_send(id));
    }
    wake();
}

void Station::updated(LinkEnd& end, const DeliveryUpdated& event) {
    const auto found = end.outgoing.find(event.delivery);
    if (found == end.outgoing.end()) return world_.violated("news of a delivery that is over");
    Outgoing& message = found->second;
    if (event.wants_more) append(event.delivery, message);
    if (!end.outgoing.contains(event.delivery)) return;
    Known& about = known(message.number);
    const bool decided = event.state && codec::is_terminal(*event.state);
    if (event.aborted && !decided) {
        again(message);
    } else if (message.settled) {
        if (!event.settled) return;
        about.finished = true;
        end.sent_settled.push_back(message.number);
    } else if (decided) {
        const bool back = std::holds_alternative<codec::Released>(*event.state);
        world_.say(fmt::format("{} is {}", message.tag, back ? "released" : "accepted"));
        if (std::exchange(message.done, true)) {
            // Of a link that was on its way out when its outcome came: heard, and now it can be settled.
        } else if (back) {
            again(message);
        } else {
            if (about.finished) world_.violated(fmt::format("message {} is accepted twice", message.number));
            about.finished = true;
        }
        if (!event.settled && !engine().settle(event.delivery)) return;
    } else {
        if (event.settled) world_.violated(fmt::format("{} is settled without an outcome", message.tag));
        return;
    }
    end.outgoing.erase(event.delivery);
    wake();
}

// --- receiving -----------------------------------------------------------------------------------------------------

void Station::on(DeliveryReceived& e) {
    const auto found = links_.find(e.link);
    auto taken = engine().take(e.delivery);
    if (!taken || found == links_.end()) return;
    LinkEnd& end = found->second;
    Incoming& message = end.incoming[e.delivery];
    message.tag = std::string(taken->tag.text());
    message.text += taken->payload.to_string();
    if (!taken->complete) {
        world_.say(fmt::format("{} octets of {} received", taken->payload.size(), message.tag));
        return wake();
    }
    message.whole = true;
    received(e.link, end, e.delivery, message, taken->settled);
    const auto again = links_.find(e.link);
    if (again == links_.end()) return;
    if (taken->settled) again->second.incoming.erase(e.delivery);
    grant(e.link, again->second);
    wake();
}

void Station::received(LinkId link, LinkEnd& end, DeliveryId id, Incoming& message, bool settled) {
    const codec::ByteChain octets(codec::Bytes::copy_of(message.text));
    const auto number = read_message(codec::MessageView(octets).body_text().value_or(""));
    if (!number || !world_.knows(*number)) return world_.violated("a message is not what was sent");
    message.number = *number;
    message.text.clear();
    Known& about = known(*number);
    if (&world_.routes()[about.route] != end.route) world_.violated("a message came on another link");
    ++about.receipts;
    world_.say(fmt::format("{} received", message.tag));
    const auto dot = message.tag.find('.');
    const std::uint64_t order = std::stoull(message.tag.substr(dot + 1));
    if (order <= end.last_order) world_.violated("messages came out of order on " + end.route->name);
    end.last_order = order;
    if (settled) {
        ++about.consumed;
        return;
    }
    const std::uint64_t how = world_.prng.below(8);
    if (world_.calm || !end.route->keeps || how < 5) return answer(link, id, how == 0 && !world_.calm ? 1 : 0);
    world_.after(world_.draw(2s),
                 [self = shared_from_this(), link, id, how] { self->answer(link, id, how == 7 ? 2 : 0); });
}

void Station::answer(LinkId link, DeliveryId id, std::uint64_t how) {
    if (ended_ || !pump_) return;
    const auto found = links_.find(link);
    if (found == links_.end()) return;
    const auto entry = found->second.incoming.find(id);
    if (entry == found->second.incoming.end() || entry->second.answered) return;
    Incoming& message = entry->second;
    Known& about = known(message.number);
    if (how == 2) {
        // First the outcome, later the settlement.
        static_cast<void>(engine().update(id, codec::Accepted{}));
        ++about.consumed;
        ++about.unsure;
        world_.after(world_.draw(500ms), [self = shared_from_this(), link, id] { self->answer(link, id, 0); });
        return wake();
    }
    message.answered = true;
    if (how == 1) {
        static_cast<void>(engine().settle(id, codec::DeliveryState(codec::Released{})));
        ++about.returned;
    } else {
        static_cast<void>(engine().settle(id, codec::DeliveryState(codec::Accepted{})));
        ++about.consumed;
        ++about.unsure;
    }
    if (found->second.route->rcv_mode == codec::ReceiverSettleMode::first) found->second.incoming.erase(id);
    wake();
}

void Station::on(DeliveryUpdated& e) {
    const auto found = links_.find(e.link);
    if (found == links_.end()) return;
    LinkEnd& end = found->second;
    if (end.sends) {
        updated(end, e);
        if (links_.contains(e.link) && end.up) fill(e.link);
        return;
    }
    if (e.aborted || e.settled) end.incoming.erase(e.delivery);
    if (e.aborted) grant(e.link, end);
}

// --- at rest -------------------------------------------------------------------------------------------------------

void Station::touch_credit() {
    for (auto& [id, end] : links_) {
        if (!end.sends) static_cast<void>(engine().set_credit(id, end.route->credit));
    }
    wake();
}

bool Station::at_rest() const {
    for (const auto& [id, end] : links_) {
        const auto status = pump_->engine().status(id);
        if (!end.up || !status || status->queued != 0 || status->unsettled != 0 || !end.outgoing.empty()) return false;
    }
    return true;
}

void Station::check_rest(const WireObserver& observer) const {
    for (const auto& [id, end] : links_) {
        const auto status = pump_->engine().status(id);
        const auto wire = observer.credit(end.route->name, end.route->sender);
        if (!status || !wire) continue;
        if (status->credit != *wire) {
            world_.violated(fmt::format("side {} of {} has credit {}, on the wire it is {}", side_, end.route->name,
                                        status->credit, *wire));
        }
        if (status->draining) world_.violated("a drain never ends");
    }
}

}  // namespace aprotic::sim::engines
