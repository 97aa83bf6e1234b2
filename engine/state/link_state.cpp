#include <fmt/core.h>

#include <aprotic/engine/state/connection_state.hpp>
#include <aprotic/engine/state/link_state.hpp>

namespace aprotic::engine {
namespace {

/// Empty for a node that has no address yet.
std::string_view address_of(const std::optional<codec::Source>& source) {
    return source && source->address ? std::string_view(*source->address) : std::string_view();
}
std::string_view address_of(const std::optional<codec::AttachTarget>& target) {
    const auto* node = target ? std::get_if<codec::Target>(&*target) : nullptr;
    return node && node->address ? std::string_view(*node->address) : std::string_view();
}

bool is_dynamic(const std::optional<codec::AttachTarget>& target) {
    const auto* node = target ? std::get_if<codec::Target>(&*target) : nullptr;
    return node && node->dynamic;
}

}  // namespace

LinkState::LinkState(ConnectionState& its_connection, LinkOptions its_options, bool has_handler)
    : commons(its_connection.commons),
      resumption(its_options.resumable || its_options.suspended ? std::make_unique<Resumption>() : nullptr),
      connection(&its_connection),
      texts_({its_options.name, address_of(its_options.source), address_of(its_options.target)}),
      role(its_options.role),
      snd_settle_mode(its_options.snd_settle_mode),
      rcv_settle_mode(its_options.rcv_settle_mode),
      in_parts(its_options.stream_window != 0),
      dynamic(is_dynamic(its_options.target)),
      resumable(its_options.resumable),
      handled(has_handler),
      holds(has_handler) {
    if (resumption) resumption->resuming = its_options.suspended;
    pending().asked = std::make_unique<const LinkOptions>(std::move(its_options));
}

std::string LinkState::description() const {
    const char* const what = role == codec::Role::sender ? "sender to" : "receiver from";
    return fmt::format("the {} '{}' at {}", what, wanted_address(), commons->peer_name);
}

void LinkState::handles_gone() {
    if (handled) return;
    run([this] { close({}); });
}

codec::Result<void, Failure> LinkState::wait_open(Duration timeout) {
    std::unique_lock lock(commons->mutex);
    const auto decided = [this] { return open || ended; };
    if (!decided()) {
        if (reactor().on_thread()) {
            return Failure{
                .code = Errc::would_deadlock, .condition = {}, .text = "wait_open() on the reactor's own thread"};
        }
        if (!wait_for(lock, timeout, decided)) {
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
        begin_operation<void>(loop(), description() + " was not answered", timeout, std::move(cancel));
    run([this, waiter = std::move(completer)]() mutable {
        if (auto failure = over()) return waiter.fail(std::move(*failure));
        if (!opened_once) return pending().opening.add(std::move(waiter));
        static_cast<void>(waiter.finish({}));
    });
    return std::move(async);
}

Async<void> LinkState::async_close(Duration timeout, std::stop_token cancel,
                                   std::optional<codec::ErrorCondition> error) {
    auto [operation, async, completer] =
        begin_operation<void>(loop(), description() + " was not detached", timeout, std::move(cancel));
    run([this, waiter = std::move(completer), error = std::move(error)]() mutable {
        if (connection == nullptr) return static_cast<void>(waiter.finish({}));
        pending().ending.add(std::move(waiter));
        close(std::move(error));
    });
    return std::move(async);
}

Async<PeerFlow> LinkState::async_flow(Duration timeout, std::stop_token cancel, codec::Map properties) {
    auto [operation, async, completer] =
        begin_operation<PeerFlow>(loop(), description() + ": no flow from the peer", timeout, std::move(cancel));
    run([this, waiter = std::move(completer), properties = std::move(properties)]() mutable {
        if (auto failure = over()) return waiter.fail(std::move(*failure));
        Engine* engine = connection ? connection->engine() : nullptr;
        if (engine == nullptr || !id || !engine->send_flow(*id, true, std::move(properties))) {
            return waiter.fail(
                {.code = Errc::wrong_state, .condition = {}, .text = description() + " is not attached"});
        }
        pending().asking.add(std::move(waiter));
        connection->wake();
    });
    return std::move(async);
}

void LinkState::handle_flow(const LinkFlowed& event) {
    Engine* engine = connection ? connection->engine() : nullptr;
    if (const auto status = engine ? engine->status(*id) : codec::Result<LinkStatus>(LinkStatus{})) {
        PeerFlow flow{.credit = status->credit, .available = status->available};
        if (event.properties) flow.properties = *event.properties;
        if (pending_) pending_->asking.succeed(flow);
    }
    // One with properties comes beside the one that tells of the credit.
    event.properties ? flow_properties(*event.properties) : flowed();
}

std::shared_ptr<SuspendedLink> LinkState::take_suspended() {
    if (!resumption) return nullptr;
    const std::lock_guard lock(commons->mutex);
    return std::exchange(resumption->suspended, nullptr);
}

LinkState::Pending& LinkState::pending() {
    if (!pending_) pending_ = std::make_unique<Pending>();
    return *pending_;
}

LinkState::Seldom& LinkState::seldom() {
    if (!seldom_) seldom_ = std::make_unique<Seldom>();
    return *seldom_;
}

codec::Attach LinkState::expected_attach() const {
    const auto address = [this](std::size_t which) {
        const std::string_view text = texts_[which];
        return text.empty() ? std::nullopt : std::optional<std::string>(text);
    };
    codec::Attach attach;
    attach.name = name();
    attach.role = codec::opposite(role);
    attach.snd_settle_mode = snd_settle_mode;
    attach.rcv_settle_mode = rcv_settle_mode;
    attach.source.emplace().address = address(1);
    attach.target = codec::Target{.address = address(2)};
    if (role == codec::Role::receiver) attach.initial_delivery_count = 0;
    return attach;
}

const codec::Attach* LinkState::remote_attach() {
    if (!remote.known()) return nullptr;
    return &remote.get([this] { return expected_attach(); });
}

void LinkState::forget_user() {
    if (!pending_) return;
    pending_->opening.forget();
    pending_->ending.forget();
    pending_->asking.forget();
}

bool LinkState::is_open() {
    const std::lock_guard lock(commons->mutex);
    return open;
}

std::string LinkState::current_address() {
    const std::lock_guard lock(commons->mutex);
    return seldom_ && !seldom_->named_by_peer.empty() ? seldom_->named_by_peer : std::string(wanted_address());
}

std::optional<Failure> LinkState::over() {
    const std::lock_guard lock(commons->mutex);
    return ended ? std::optional(*ended) : std::nullopt;
}

void LinkState::stop(const Failure& why) {
    {
        const std::lock_guard lock(commons->mutex);
        open = false;
        if (!ended) ended = std::make_unique<const Failure>(why);
        wake_all();
    }
    if (!pending_) return;
    pending_->opening.fail(*ended);
    pending_->asking.fail(*ended);
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

const codec::Outcome* LinkState::default_outcome() {
    const auto of = [](const std::optional<codec::Source>& source) {
        return source && source->default_outcome ? &*source->default_outcome : nullptr;
    };
    const codec::Attach& theirs = *remote_attach();
    if (theirs.source) return of(theirs.source);
    return pending_ && pending_->asked ? of(pending_->asked->source) : nullptr;
}

void LinkState::attached(LinkId link_id) {
    id = link_id;
    // A link that is opened beside a thousand others does not wait with it for the peer's answer.
    if (!asked().source || !asked().source->default_outcome) pending_->asked.reset();
    leave_pending();
    after_attach(resumption ? std::exchange(resumption->resuming, nullptr) : nullptr);
}

void LinkState::opened(const codec::Attach* attach) {
    if (attach != nullptr && !remote.known()) remote.set(*attach);
    if (connection == nullptr || opened_once || !remote.known()) return;
    opened_once = true;
    const codec::Attach& theirs = remote.peek([this] { return expected_attach(); });
    std::string_view address;
    if (role == codec::Role::receiver) {
        address = address_of(theirs.source);
    } else if (dynamic) {
        address = address_of(theirs.target);
    }
    if (theirs.source && pending_) pending_->asked.reset();  // its word about outcomes counts
    {
        const std::lock_guard lock(commons->mutex);
        if (!address.empty() && address != wanted_address()) seldom().named_by_peer = address;
        if (!ended) open = true;
        wake_all();
    }
    if (pending_) pending_->opening.succeed();
    if (!closing) {
        connection->call([this] { tell_open(); });
        after_open();
    }
    remote.pack(expected_attach());
    leave_pending();
}

void LinkState::detaching(const LinkDetaching& event) {
    if (connection == nullptr) return;
    if (!left_by_peer && !closing) {
        left_by_peer = true;
        const Errc code = event.refused  ? Errc::refused
                          : event.closed ? Errc::detached_by_peer
                                         : Errc::suspended_by_peer;
        const char* const what = event.refused ? "refused" : event.closed ? "closed" : "suspended";
        stop({.code = code,
              .initiator = Initiator::peer,
              .condition = event.error,
              .text = fmt::format("the peer {} {}", what, description())});
    }
    before_detach();
    if (!event.refused) connection->call([&] { tell_remote_close(event.error); });
    if (connection == nullptr || closing) return;
    closing = true;
    Engine* engine = connection->engine();
    // [2.6.6] The answer has the same `closed` as the peer's word.
    if (engine == nullptr || !engine->detach(*id, event.closed)) return end_later(over());
    connection->wake();
}

void LinkState::end(std::optional<Failure> why) {
    if (connection == nullptr) return;
    const auto self = shared_from_this();
    ConnectionState& owner = *connection;
    if (left_by_peer) why = over();
    stop(why ? *why : Failure{.code = Errc::closed, .condition = {}, .text = description() + " was closed by us"});
    if (resumption) {
        if (!resumption->left) resumption->left = std::exchange(resumption->resuming, nullptr);  // never attached
        if (given_up) resumption->left.reset();
    }
    after_end(*over());
    if (resumption) {
        const std::lock_guard lock(commons->mutex);
        resumption->suspended = std::move(resumption->left);
    }
    connection = nullptr;
    if (pending_) pending_->ending.succeed();
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
