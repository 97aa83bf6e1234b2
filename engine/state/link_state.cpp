#include <fmt/core.h>

#include <aprotic/engine/state/connection_state.hpp>
#include <aprotic/engine/state/link_state.hpp>

namespace aprotic::engine {
namespace {

/// Where the messages of a link go or come from; empty for a node that has no address yet.
std::string address_of(codec::Role role, const std::optional<codec::Source>& source,
                       const std::optional<codec::AttachTarget>& target) {
    if (role == codec::Role::receiver) return source && source->address ? *source->address : std::string();
    const auto* node = target ? std::get_if<codec::Target>(&*target) : nullptr;
    return node && node->address ? *node->address : std::string();
}

bool is_dynamic(const std::optional<codec::AttachTarget>& target) {
    const auto* node = target ? std::get_if<codec::Target>(&*target) : nullptr;
    return node && node->dynamic;
}

}  // namespace

LinkState::LinkState(std::shared_ptr<Loop> its_loop, ConnectionState& its_connection, LinkOptions its_options,
                     bool has_handler)
    : loop(std::move(its_loop)),
      name(its_options.name),
      wanted_address(address_of(its_options.role, its_options.source, its_options.target)),
      peer_name(its_connection.peer_name),
      role(its_options.role),
      snd_settle_mode(its_options.snd_settle_mode),
      rcv_settle_mode(its_options.rcv_settle_mode),
      in_parts(its_options.stream_window != 0),
      resumable(its_options.resumable),
      handled(has_handler),
      holds(has_handler),
      connection(&its_connection),
      asked(std::make_unique<const LinkOptions>(std::move(its_options))),
      address(wanted_address) {}

LinkOptions LinkState::resumed_options() const {
    LinkOptions with = *asked;
    with.suspended = resuming;
    return with;
}

std::string LinkState::description() const {
    const char* const what = role == codec::Role::sender ? "sender to" : "receiver from";
    return fmt::format("the {} '{}' at {}", what, wanted_address, peer_name);
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
    return ended ? std::optional(*ended) : std::nullopt;
}

void LinkState::stop(const Failure& why) {
    {
        const std::lock_guard lock(mutex);
        open = false;
        if (!ended) ended = std::make_unique<const Failure>(why);
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
    const bool peer_names_it = role == codec::Role::receiver || is_dynamic(asked->target);
    std::string theirs = address_of(role, attach.source, attach.target);
    if (!remote) remote = std::make_unique<const codec::Attach>(attach);
    // Else the outcome of what the peer settles without one may be in ours. [3.5.3]
    if (remote->source) asked.reset();
    {
        const std::lock_guard lock(mutex);
        if (peer_names_it && !theirs.empty()) address = std::move(theirs);
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
        end_reason =
            std::make_unique<const Failure>(Failure{.code = code,
                                                    .initiator = Initiator::peer,
                                                    .condition = event.error,
                                                    .text = fmt::format("the peer {} {}", what, description())});
        stop(*end_reason);
    }
    before_detach();
    if (!event.refused) connection->call([&] { tell_remote_close(event.error); });
    if (connection == nullptr || closing) return;
    closing = true;
    Engine* engine = connection->engine();
    // [2.6.6] The answer has the same `closed` as the peer's word.
    if (engine == nullptr || !engine->detach(*id, event.closed)) return end_later(*end_reason);
    connection->wake();
}

void LinkState::end(std::optional<Failure> why) {
    if (connection == nullptr) return;
    const auto self = shared_from_this();
    ConnectionState& owner = *connection;
    if (end_reason) why = *end_reason;
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
