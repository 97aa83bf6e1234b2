#include <algorithm>

#include <fmt/chrono.h>
#include <fmt/core.h>

#include <aprotic/engine/stack/secrets.hpp>
#include <aprotic/engine/state/connection_state.hpp>
#include <aprotic/engine/state/container_state.hpp>
#include <aprotic/engine/state/coordinator_state.hpp>
#include <aprotic/engine/state/link_request_state.hpp>
#include <aprotic/engine/state/receiver_state.hpp>
#include <aprotic/engine/state/sender_state.hpp>

namespace aprotic::engine {

ConnectionState::ConnectionState(const std::shared_ptr<ContainerState>& its_container, EngineRole its_role,
                                 ConnectionOptions its_options, std::shared_ptr<ConnectionHandler> its_handler,
                                 std::string peer)
    : loop(its_container->loop),
      container(its_container),
      role(its_role),
      commons(std::make_shared<LinkCommons>(loop, std::move(peer))),
      close_timeout(its_options.close_timeout),
      handler_(std::move(its_handler)),
      options_(std::make_unique<ConnectionOptions>(std::move(its_options))),
      name_seed_(loop->reactor.random()) {}

/// Only when the reactor went first are there links left: nobody can be told any more, but nothing may point here.
ConnectionState::~ConnectionState() {
    if (options_) stack::wipe_secrets(*options_);
    links_.for_each([](const auto& link) { link->connection = nullptr; });
    for (auto& link : waiting_) link->connection = nullptr;
}

// --- any thread ------------------------------------------------------------------------------------------------------

void ConnectionState::handles_gone() {
    run([this] {
        held_ = false;
        close_unheld();
    });
}

codec::Result<void, Failure> ConnectionState::wait_open(Duration timeout) {
    std::unique_lock lock(mutex_);
    const auto decided = [this] { return opened_ || ended_; };
    if (!decided()) {
        if (loop->reactor.on_thread()) {
            return Failure{
                .code = Errc::would_deadlock, .condition = {}, .text = "wait_open() on the reactor's own thread"};
        }
        if (!changed_.wait_for(lock, timeout, decided)) {
            return Failure{.code = Errc::timed_out,
                           .condition = {},
                           .text = fmt::format("{} has not opened the connection in time", peer_name)};
        }
    }
    if (ended_) return *ended_;
    return {};
}

codec::Result<void, Failure> ConnectionState::wait_closed(Duration timeout) {
    std::unique_lock lock(mutex_);
    if (ended_) return {};
    if (loop->reactor.on_thread()) {
        return Failure{
            .code = Errc::would_deadlock, .condition = {}, .text = "wait_closed() on the reactor's own thread"};
    }
    if (!changed_.wait_for(lock, timeout, [this] { return static_cast<bool>(ended_); })) {
        return Failure{.code = Errc::timed_out,
                       .condition = {},
                       .text = fmt::format("the connection to {} is still there", peer_name)};
    }
    return {};
}

Async<void> ConnectionState::async_wait_open(Duration timeout, std::stop_token cancel) {
    auto [operation, async, completer] = begin_operation<void>(
        loop, fmt::format("{} has not opened the connection", peer_name), timeout, std::move(cancel));
    run([this, waiter = std::move(completer)]() mutable {
        if (auto failure = ended()) return waiter.fail(std::move(*failure));
        if (!is_open()) return opening_.add(std::move(waiter));
        static_cast<void>(waiter.finish({}));
    });
    return std::move(async);
}

Async<void> ConnectionState::async_close(Duration timeout, std::stop_token cancel,
                                         std::optional<codec::ErrorCondition> error) {
    auto [operation, async, completer] = begin_operation<void>(
        loop, fmt::format("the connection to {} has not ended", peer_name), timeout, std::move(cancel));
    run([this, waiter = std::move(completer), error = std::move(error)]() mutable {
        if (over_) return static_cast<void>(waiter.finish({}));
        ending_.add(std::move(waiter));
        close(std::move(error));
    });
    return std::move(async);
}

std::optional<Failure> ConnectionState::ended() {
    const std::lock_guard lock(mutex_);
    return ended_.copy();
}

bool ConnectionState::is_open() {
    const std::lock_guard lock(mutex_);
    return opened_ && !ended_;
}

// --- life ------------------------------------------------------------------------------------------------------------

void ConnectionState::connect(const Address& to) {
    if (over_ || closing_) return;
    Reactor& reactor = loop->reactor;
    connect_deadline_ = reactor.now() + options_->connect_timeout;
    connecting_ = reactor.connect(to, connect_deadline_,
                                  [weak = weak_from_this()](codec::Result<std::unique_ptr<Stream>, Failure> result) {
                                      if (const auto self = weak.lock()) self->connected(std::move(result));
                                  });
}

void ConnectionState::connected(codec::Result<std::unique_ptr<Stream>, Failure> result) {
    connecting_ = 0;
    if (over_ || closing_) return;
    if (!result) {
        Failure why = result.error();
        if (why.code == Errc::connect_timed_out) why.text += " (option connect_timeout)";
        return end_without_stream(std::move(why));
    }
    // The engine watches over the rest of the time to open.
    options_->connect_timeout =
        std::max<Duration>(connect_deadline_ - loop->reactor.now(), std::chrono::milliseconds(1));
    start(std::move(*result));
}

void ConnectionState::start(std::unique_ptr<Stream> stream) {
    Reactor& reactor = loop->reactor;
    Engine engine(role, *options_, reactor.now(), reactor.random(), stream->is_private());
    engine.tell_settled_together();
    stack::wipe_secrets(*options_);  // the engine has its own, and a connection has no second one
    options_.reset();
    pump_ = std::make_shared<io::Pump>(reactor, std::move(engine), std::move(stream),
                                       std::weak_ptr<io::Pump::Client>(shared_from_this()));
    // A server waits for the peer's open, so that a handler can still refuse it.
    if (role == EngineRole::client) static_cast<void>(pump_->engine().open());
    for (const auto& link : std::exchange(waiting_, {})) attach(link);
    pump_->wake();
}

void ConnectionState::close(std::optional<codec::ErrorCondition> error) {
    if (over_ || std::exchange(closing_, true)) return;
    if (pump_) {
        pump_->engine().close(std::move(error));
        pump_->wake();
        return;
    }
    if (connecting_ != 0) loop->reactor.cancel_connect(std::exchange(connecting_, 0));
    loop->reactor.post([self = shared_from_this()] { self->end_without_stream({}); });
}

void ConnectionState::cut() {
    closing_ = true;
    if (pump_) return pump_->cut(make_error_code(Errc::closed));
    if (connecting_ != 0) loop->reactor.cancel_connect(std::exchange(connecting_, 0));
    end_without_stream({});
}

void ConnectionState::abandon() {
    handler_.reset();
    opening_.forget();
    ending_.forget();
    links_.for_each([](const auto& link) { link->forget_user(); });
    for (const auto& link : waiting_) link->forget_user();
    for (const auto& [link, event] : cut_off_) link->forget_user();
    for (const auto& one : coordinators_) one->forget_user();
    closing_ = finished_ = true;
    if (connecting_ != 0) loop->reactor.cancel_connect(std::exchange(connecting_, 0));
    end(Failure{.code = Errc::connection_lost,
                .condition = {},
                .text = fmt::format("{}: the reactor was destroyed before the connection had ended", peer_name)});
    later_.clear();
    pump_.reset();  // it needs the reactor, which handles to us may outlive
}

void ConnectionState::end_without_stream(std::optional<Failure> why) {
    end(std::move(why));
    on_finished();
}

void ConnectionState::end(std::optional<Failure> why) {
    if (over_) return;
    if (threw_) why = *threw_;
    std::vector<std::shared_ptr<LinkState>> links = std::exchange(waiting_, {});
    links_.for_each([&](const auto& link) { links.push_back(link); });
    for (const auto& [link, event] : std::exchange(cut_off_, {})) links.push_back(link);
    for (const auto& link : links) link->before_detach();  // while the engine still knows what has not left
    over_ = true;
    links_.clear();
    {
        const std::lock_guard lock(mutex_);
        ended_ = why ? *why
                     : Failure{.code = Errc::closed,
                               .condition = {},
                               .text = fmt::format("the connection to {} was closed by us", peer_name)};
        changed_.notify_all();
    }
    opening_.fail(*ended_);
    ending_.succeed();
    end_put_off();
    for (const auto& link : links) link->end(why);
    for (const auto& one : std::exchange(coordinators_, {})) one->lost(*ended_);
    sessions_.clear();
    common_session_.reset();
    rechecks_.clear();
    if (const auto handler = std::exchange(handler_, nullptr)) {
        Connection handle(shared_from_this());
        call([&] { handler->on_close(handle, why); });
    }
}

void ConnectionState::on_finished() {
    const auto self = shared_from_this();
    end(Failure{.code = Errc::connection_lost,
                .initiator = Initiator::transport,
                .condition = {},
                .text = fmt::format("{}: the connection was lost", peer_name)});
    finished_ = true;
    // What was put off during the last callbacks has no pump to run it any more.
    for (auto& task : std::exchange(later_, {})) loop->reactor.post(std::move(task));
    if (const auto owner = container.lock()) owner->remove(*this);
}

void ConnectionState::later(Function<void()> task) {
    if (finished_ || !pump_) {
        loop->reactor.post([self = shared_from_this(), task = std::move(task)]() mutable { task(); });
        return;
    }
    later_.push_back(std::move(task));
    pump_->wake();
}

void ConnectionState::wake(std::size_t bytes) {
    if (pump_) pump_->wake(bytes);
}

void ConnectionState::close_unheld() {
    if (!handler_ && !held_ && handled_links_ == 0) close({});
}

void ConnectionState::handler_threw(const char* what) {
    if (over_) return;
    // The peer learns that it was us, not our words: they may hold what is none of its business.
    codec::ErrorCondition condition{.condition = codec::condition::internal_error, .description = {}, .info = {}};
    if (!threw_) {
        threw_ = Failure{
            .code = Errc::closed,
            .condition = condition,
            .text = fmt::format("the connection to {} was closed because a handler threw: {}", peer_name, what)};
    }
    close(std::move(condition));
}

// --- links and sessions ----------------------------------------------------------------------------------------------

const std::shared_ptr<SessionState>& ConnectionState::common_session() {
    if (!common_session_ || common_session_->over) {
        common_session_ = std::make_shared<SessionState>(shared_from_this(), SessionOptions{}, true);
    }
    return common_session_;
}

std::shared_ptr<CoordinatorState> ConnectionState::coordinator(std::shared_ptr<SessionState> session) {
    if (!session) session = common_session();
    for (const auto& one : coordinators_) {
        if (one->session == session) return one;
    }
    const auto made = std::make_shared<CoordinatorState>(*this, std::move(session));
    coordinators_.push_back(made);
    made->start();
    return made;
}

void ConnectionState::forget_coordinator(const CoordinatorState& coordinator) {
    std::erase_if(coordinators_, [&](const auto& one) { return one.get() == &coordinator; });
}

void ConnectionState::add_link(const std::shared_ptr<LinkState>& link) {
    if (!link->session) link->session = common_session();
    ++link->session->links;
    if (link->holds) ++handled_links_;
    if (over_) {
        const std::lock_guard lock(mutex_);
        return link->end_later(ended_.copy());
    }
    if (!pump_) {
        waiting_.push_back(link);
        return;
    }
    attach(link);
    wake();
}

void ConnectionState::end_later(std::shared_ptr<LinkState> link, std::optional<Failure> why) {
    ending_links_.emplace_back(std::move(link), std::move(why));
    later([self = shared_from_this()] { self->end_put_off(); });
}

void ConnectionState::end_put_off() {
    for (const auto& [link, why] : std::exchange(ending_links_, {})) link->end(why);
}

void ConnectionState::forget_waiting(const LinkState& link) {
    std::erase_if(waiting_, [&](const auto& waiting) { return waiting.get() == &link; });
}

codec::Result<SessionId> ConnectionState::begun(const std::shared_ptr<SessionState>& session) {
    if (session->id) return *session->id;
    if (session->over) return make_error_code(Errc::no_such_endpoint);
    const auto id = pump_->engine().begin(session->options);
    if (!id) return id;
    session->id = *id;
    sessions_.emplace(*id, session);
    return id;
}

void ConnectionState::attach(const std::shared_ptr<LinkState>& link) {
    const auto session = begun(link->session);
    if (link->resumes()) link->before_attach(*link->resumption->resuming);
    const auto id = session ? pump_->engine().attach(*session, link->asked()) : codec::Result<LinkId>(session.error());
    if (!id) {
        link->end_later(
            Failure{.code = id.error(),
                    .condition = {},
                    .text = fmt::format("{} cannot be attached: {}", link->description(), id.error().message())});
        return;
    }
    link->attached(*id);
    links_.insert(link);
}

void ConnectionState::accept_link(const std::shared_ptr<LinkState>& link, LinkId id) {
    if (link->holds) ++handled_links_;
    if (link->resumes()) link->before_attach(*link->resumption->resuming);
    const auto accepted =
        engine() ? engine()->accept(id, link->asked()) : codec::Result<void>(make_error_code(Errc::no_such_endpoint));
    if (!accepted) {
        link->end_later(Failure{.code = accepted.error(),
                                .condition = {},
                                .text = fmt::format("{} is not there any more", link->description())});
        return;
    }
    link->attached(id);
    links_.insert(link);
    later([link] { link->opened(); });
}

void ConnectionState::link_ended(const LinkState& link) {
    if (!link.holds) return;
    --handled_links_;
    close_unheld();
}

}  // namespace aprotic::engine
