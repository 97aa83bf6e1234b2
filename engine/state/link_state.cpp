#include <fmt/core.h>

#include <aprotic/engine/state/connection_state.hpp>
#include <aprotic/engine/state/link_state.hpp>

namespace aprotic::engine {
namespace {

std::optional<std::string> address_of_target(const std::optional<codec::AttachTarget>& target) {
    const auto* node = target ? std::get_if<codec::Target>(&*target) : nullptr;
    return node ? node->address : std::nullopt;
}

std::optional<std::string> address_of_source(const std::optional<codec::Source>& source) {
    return source ? source->address : std::nullopt;
}

bool is_dynamic(const std::optional<codec::AttachTarget>& target) {
    const auto* node = target ? std::get_if<codec::Target>(&*target) : nullptr;
    return node && node->dynamic;
}

}  // namespace

LinkState::LinkState(std::shared_ptr<Loop> its_loop, ConnectionState& its_connection, LinkOptions its_options,
                     bool has_handler)
    : loop(std::move(its_loop)),
      options(std::move(its_options)),
      peer_name(its_connection.peer_name),
      handled(has_handler),
      connection(&its_connection),
      address(address_of(std::nullopt)) {}

std::string LinkState::address_of(const std::optional<codec::Attach>& peer) const {
    std::optional<std::string> found;
    if (options.role == codec::Role::sender) {
        found =
            peer && is_dynamic(options.target) ? address_of_target(peer->target) : address_of_target(options.target);
    } else {
        if (peer) found = address_of_source(peer->source);
        if (!found) found = address_of_source(options.source);
    }
    return found.value_or(std::string());
}

std::string LinkState::description() const {
    const bool sends = options.role == codec::Role::sender;
    const auto where = sends ? address_of_target(options.target) : address_of_source(options.source);
    return fmt::format("the {} '{}' at {}", sends ? "sender to" : "receiver from", where.value_or(""), peer_name);
}

void LinkState::handles_gone() {
    if (handled) return;
    run([this] { close({}); });
}

codec::Result<void, Failure> LinkState::wait_open(Duration timeout) {
    std::unique_lock lock(mutex);
    const auto decided = [this] { return open || ended; };
    if (!decided()) {
        if (loop->reactor.on_thread()) {
            return Failure{
                .code = Errc::would_deadlock, .condition = {}, .text = "wait_open() on the reactor's own thread"};
        }
        if (!changed.wait_for(lock, bounded(timeout), decided)) {
            return Failure{.code = Errc::timed_out,
                           .condition = {},
                           .text = fmt::format("{} was not answered in time", description())};
        }
    }
    if (ended) return *ended;
    return {};
}

bool LinkState::is_open() {
    const std::lock_guard lock(mutex);
    return open;
}

std::string LinkState::current_address() {
    const std::lock_guard lock(mutex);
    return address;
}

std::optional<Failure> LinkState::over() {
    const std::lock_guard lock(mutex);
    return ended;
}

void LinkState::stop(const Failure& why) {
    const std::lock_guard lock(mutex);
    open = false;
    if (!ended) ended = why;
    changed.notify_all();
}

void LinkState::close(std::optional<codec::ErrorCondition> error) {
    if (connection == nullptr || closing) return;
    closing = true;
    stop({.code = Errc::closed, .condition = error, .text = fmt::format("{} was closed by us", description())});
    Engine* engine = connection->engine();
    if (!id || engine == nullptr) {
        connection->forget_waiting(*this);
        return end_later({});
    }
    before_detach();
    if (!engine->detach(*id, true, std::move(error))) return end_later({});
    connection->wake();
}

void LinkState::attached(LinkId link_id) {
    id = link_id;
    after_attach();
}

void LinkState::opened(const codec::Attach& attach) {
    if (connection == nullptr || opened_once) return;
    opened_once = true;
    remote = attach;
    {
        const std::lock_guard lock(mutex);
        address = address_of(remote);
        if (!ended) open = true;
        changed.notify_all();
    }
    if (closing) return;
    connection->call([this] { tell_open(); });
    after_open();
}

void LinkState::detaching(const LinkDetaching& event) {
    if (connection == nullptr) return;
    const Errc code = event.refused ? Errc::refused : Errc::detached_by_peer;
    if (!end_reason && !closing) {
        end_reason =
            Failure{.code = code,
                    .initiator = Initiator::peer,
                    .condition = event.error,
                    .text = fmt::format("the peer {} {}", event.refused ? "refused" : "closed", description())};
        stop(*end_reason);
    }
    before_detach();
    if (!event.refused) connection->call([&] { tell_remote_close(event.error); });
    if (connection == nullptr || closing) return;
    closing = true;
    Engine* engine = connection->engine();
    // [2.6.6] The answer has the same `closed` as the peer's word.
    if (engine == nullptr || !engine->detach(*id, event.closed)) return end_later(end_reason);
    connection->wake();
}

void LinkState::end(std::optional<Failure> why) {
    if (connection == nullptr) return;
    const auto self = shared_from_this();
    ConnectionState& owner = *connection;
    if (end_reason) why = end_reason;
    stop(why ? *why : Failure{.code = Errc::closed, .condition = {}, .text = description() + " was closed by us"});
    after_end(*over());
    connection = nullptr;
    owner.call([&] { tell_close(why); });
    if (session) {
        --session->links;
        session->end_unused();
    }
    owner.link_ended(*this);
}

void LinkState::end_later(std::optional<Failure> why) {
    if (connection == nullptr) return;
    connection->later([self = shared_from_this(), why = std::move(why)] { self->end(why); });
}

}  // namespace aprotic::engine
