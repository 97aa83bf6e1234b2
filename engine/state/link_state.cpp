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
      resumable(options.resumable),
      handled(has_handler),
      holds(has_handler),
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

LinkOptions LinkState::resumed_options() const {
    LinkOptions with = options;
    with.suspended = resuming;
    return with;
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

Async<void> LinkState::async_wait_open(Duration timeout, std::stop_token cancel) {
    auto [operation, async, completer] =
        begin_operation<void>(loop, description() + " was not answered", timeout, std::move(cancel));
    run([this, waiter = std::move(completer)]() mutable {
        if (auto failure = over()) return waiter.fail(std::move(*failure));
        if (!opened_once) return opening_.add(std::move(waiter));
        static_cast<void>(waiter.finish({}));
    });
    return std::move(async);
}

Async<void> LinkState::async_close(Duration timeout, std::stop_token cancel,
                                   std::optional<codec::ErrorCondition> error) {
    auto [operation, async, completer] =
        begin_operation<void>(loop, description() + " was not detached", timeout, std::move(cancel));
    run([this, waiter = std::move(completer), error = std::move(error)]() mutable {
        if (connection == nullptr) return static_cast<void>(waiter.finish({}));
        ending_.add(std::move(waiter));
        close(std::move(error));
    });
    return std::move(async);
}

Async<PeerFlow> LinkState::async_flow(Duration timeout, std::stop_token cancel, codec::Map properties) {
    auto [operation, async, completer] =
        begin_operation<PeerFlow>(loop, description() + ": no flow from the peer", timeout, std::move(cancel));
    run([this, waiter = std::move(completer), properties = std::move(properties)]() mutable {
        if (auto failure = over()) return waiter.fail(std::move(*failure));
        Engine* engine = connection ? connection->engine() : nullptr;
        if (engine == nullptr || !id || !engine->send_flow(*id, true, std::move(properties))) {
            return waiter.fail(
                {.code = Errc::wrong_state, .condition = {}, .text = description() + " is not attached"});
        }
        asking_.add(std::move(waiter));
        connection->wake();
    });
    return std::move(async);
}

void LinkState::handle_flow(const LinkFlowed& event) {
    Engine* engine = connection ? connection->engine() : nullptr;
    if (const auto status = engine ? engine->status(*id) : codec::Result<LinkStatus>(LinkStatus{})) {
        PeerFlow flow{.credit = status->credit, .available = status->available};
        if (event.properties) flow.properties = *event.properties;
        asking_.succeed(flow);
    }
    // One with properties comes beside the one that tells of the credit.
    event.properties ? flow_properties(*event.properties) : flowed();
}

std::shared_ptr<SuspendedLink> LinkState::take_suspended() {
    const std::lock_guard lock(mutex);
    return std::exchange(suspended, nullptr);
}

void LinkState::forget_user() {
    opening_.forget();
    ending_.forget();
    asking_.forget();
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
    {
        const std::lock_guard lock(mutex);
        open = false;
        if (!ended) ended = why;
        changed.notify_all();
    }
    opening_.fail(*ended);
    asking_.fail(*ended);
}

void LinkState::leave(bool closed, std::optional<codec::ErrorCondition> error) {
    if (connection == nullptr || closing) return;
    closing = true;
    given_up = closed;
    stop({.code = Errc::closed,
          .condition = error,
          .text = fmt::format("{} was {} by us", description(), closed ? "closed" : "detached")});
    Engine* engine = connection->engine();
    if (!id || engine == nullptr) {
        connection->forget_waiting(*this);
        return end_later({});
    }
    before_detach();
    if (!engine->detach(*id, closed, std::move(error))) return end_later({});
    connection->wake();
}

void LinkState::attached(LinkId link_id) {
    id = link_id;
    after_attach(std::exchange(resuming, nullptr));
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
    opening_.succeed();
    if (closing) return;
    connection->call([this] { tell_open(); });
    after_open();
}

void LinkState::detaching(const LinkDetaching& event) {
    if (connection == nullptr) return;
    if (!end_reason && !closing) {
        const Errc code = event.refused  ? Errc::refused
                          : event.closed ? Errc::detached_by_peer
                                         : Errc::suspended_by_peer;
        const char* const what = event.refused ? "refused" : event.closed ? "closed" : "suspended";
        end_reason = Failure{.code = code,
                             .initiator = Initiator::peer,
                             .condition = event.error,
                             .text = fmt::format("the peer {} {}", what, description())};
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
    if (!left) left = std::exchange(resuming, nullptr);  // it was never attached
    if (given_up) left.reset();
    after_end(*over());
    {
        const std::lock_guard lock(mutex);
        suspended = std::move(left);
    }
    connection = nullptr;
    ending_.succeed();
    owner.call([&] { tell_close(why); });
    if (session) {
        --session->links;
        session->end_unused();
    }
    owner.link_ended(*this);
}

void LinkState::end_later(std::optional<Failure> why) {
    if (connection == nullptr) return;
    connection->end_later(shared_from_this(), std::move(why));
}

}  // namespace aprotic::engine
