#include <aprotic/engine/connection.hpp>

#include <fmt/core.h>

#include <aprotic/engine/state/connection_state.hpp>
#include <aprotic/engine/state/link_request_state.hpp>
#include <aprotic/engine/state/receiver_state.hpp>
#include <aprotic/engine/state/sender_state.hpp>

namespace aprotic::engine {
namespace {

void resume_as(LinkOptions& link) {
    if (!link.suspended) return;
    link.resumable = true;
    link.name = link.suspended->name;
}

/// Fills in what open_sender was told only by its address.
LinkOptions sending_to(const ConnectionState& connection, const std::string& address, LinkOptions link) {
    link.role = codec::Role::sender;
    resume_as(link);
    if (link.name.empty()) link.name = connection.next_link_name();
    if (!link.source) link.source.emplace();
    if (!link.target) link.target = codec::Target{};
    auto* node = std::get_if<codec::Target>(&*link.target);
    if (node && !node->address && !node->dynamic && !address.empty()) node->address = address;
    return link;
}

LinkOptions receiving_from(const ConnectionState& connection, const std::string& address, bool dynamic,
                           LinkOptions link) {
    link.role = codec::Role::receiver;
    resume_as(link);
    if (link.name.empty()) link.name = connection.next_link_name();
    if (!link.target) link.target = codec::Target{};
    if (!link.source) link.source.emplace();
    if (dynamic) link.source->dynamic = true;
    // [3.5.3] A dynamic source has no address of our choice.
    if (!link.source->address && !link.source->dynamic && !address.empty()) link.source->address = address;
    return link;
}

/// What the peer asked for, where the answer leaves it open.
void mirror(LinkOptions& link, const codec::Attach& remote, codec::Role role) {
    link.name = remote.name;
    link.role = role;
    if (link.suspended) link.resumable = true;
    if (!link.source) link.source = remote.source;
    if (!link.target) link.target = remote.target;
    if (link.snd_settle_mode == codec::SenderSettleMode::mixed) link.snd_settle_mode = remote.snd_settle_mode;
    if (link.rcv_settle_mode == codec::ReceiverSettleMode::first) link.rcv_settle_mode = remote.rcv_settle_mode;
}

const PeerIdentity& nobody() {
    static const PeerIdentity identity;
    return identity;
}

}  // namespace

std::string ConnectionState::next_link_name() const {
    // [2.6.1] Unique between two containers: chance, 54 bits of it, tells connections of one container-id apart, the
    // number their links. Short enough for a std::string to need no memory of its own: each end keeps it twice.
    constexpr std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.";
    std::string name;
    std::uint64_t rest = name_seed_;
    for (int i = 0; i < 9; ++i, rest /= digits.size()) name += digits[rest % digits.size()];
    return fmt::format("{}-{}", name, ++link_names_);
}

Sender ConnectionState::open_sender(const std::shared_ptr<ConnectionState>& state, std::shared_ptr<void> keeps,
                                    std::shared_ptr<SessionState> session, const std::string& address,
                                    SenderOptions options, std::shared_ptr<SenderHandler> handler) {
    auto link = std::make_shared<SenderState>(*state, sending_to(*state, address, std::move(options.link)),
                                              options.queue_bytes_max, std::move(handler));
    link->session = std::move(session);
    Sender sender = SenderState::make_handle(link, std::move(keeps));
    state->run([state, link] { state->add_link(link); });
    return sender;
}

Receiver ConnectionState::open_receiver(const std::shared_ptr<ConnectionState>& state, std::shared_ptr<void> keeps,
                                        std::shared_ptr<SessionState> session, const std::string& address,
                                        ReceiverOptions options, std::shared_ptr<ReceiverHandler> handler) {
    const CreditWindow window{.deliveries = options.credit, .bytes = options.credit_bytes};
    auto link = std::make_shared<ReceiverState>(
        *state, receiving_from(*state, address, options.dynamic, std::move(options.link)), window, std::move(handler));
    link->session = std::move(session);
    Receiver receiver = ReceiverState::make_handle(link, std::move(keeps));
    state->run([state, link] { state->add_link(link); });
    return receiver;
}

Sender ConnectionState::open_coordinator(ConnectionState& state, std::shared_ptr<SessionState> session,
                                         SenderOptions options, std::shared_ptr<SenderHandler> handler) {
    auto link = std::make_shared<SenderState>(state, sending_to(state, {}, std::move(options.link)),
                                              options.queue_bytes_max, std::move(handler));
    link->session = std::move(session);
    link->holds = false;
    Sender sender = SenderState::make_handle(link, nullptr);
    state.add_link(link);
    return sender;
}

Session ConnectionState::open_session(const std::shared_ptr<ConnectionState>& state, std::shared_ptr<void> keeps,
                                      SessionOptions options) {
    auto session = std::make_shared<SessionState>(state, std::move(options), false);
    session->held = true;
    return Session(make_held(session, std::move(keeps)));
}

// --- Connection ------------------------------------------------------------------------------------------------------

Sender Connection::open_sender(const std::string& address, SenderOptions options,
                               std::shared_ptr<SenderHandler> handler) const {
    return ConnectionState::open_sender(state_->shared_from_this(), state_, nullptr, address, std::move(options),
                                        std::move(handler));
}

Receiver Connection::open_receiver(const std::string& address, ReceiverOptions options,
                                   std::shared_ptr<ReceiverHandler> handler) const {
    return ConnectionState::open_receiver(state_->shared_from_this(), state_, nullptr, address, std::move(options),
                                          std::move(handler));
}

Session Connection::open_session(SessionOptions options) const {
    return ConnectionState::open_session(state_->shared_from_this(), state_, std::move(options));
}

codec::Result<void, Failure> Connection::wait_open(Duration timeout) const { return state_->wait_open(timeout); }

Async<void> Connection::async_wait_open(Duration timeout, std::stop_token cancel) const {
    return state_->async_wait_open(timeout, std::move(cancel));
}

Async<void> Connection::async_close(Duration timeout, std::stop_token cancel,
                                    std::optional<codec::ErrorCondition> error) const {
    return state_->async_close(timeout, std::move(cancel), std::move(error));
}

void Connection::close(std::optional<codec::ErrorCondition> error) const {
    state_->run([state = state_->shared_from_this(), error = std::move(error)] { state->close(error); });
}

codec::Result<void, Failure> Connection::wait_closed(Duration timeout) const { return state_->wait_closed(timeout); }

bool Connection::is_open() const { return state_->is_open(); }
const codec::Open* Connection::remote() const { return state_->remote_open(); }
const PeerIdentity& Connection::identity() const { return state_ && state_->identity ? *state_->identity : nobody(); }
std::string Connection::peer_name() const { return state_->peer_name; }

// --- Session ---------------------------------------------------------------------------------------------------------

Sender Session::open_sender(const std::string& address, SenderOptions options,
                            std::shared_ptr<SenderHandler> handler) const {
    const auto connection = state_->connection.lock();
    APROTIC_ASSERT(connection);  // the handle holds it
    return ConnectionState::open_sender(connection, state_, state_->shared_from_this(), address, std::move(options),
                                        std::move(handler));
}

Receiver Session::open_receiver(const std::string& address, ReceiverOptions options,
                                std::shared_ptr<ReceiverHandler> handler) const {
    const auto connection = state_->connection.lock();
    APROTIC_ASSERT(connection);
    return ConnectionState::open_receiver(connection, state_, state_->shared_from_this(), address, std::move(options),
                                          std::move(handler));
}

void Session::end(std::optional<codec::ErrorCondition> error) const {
    auto command = [state = state_->shared_from_this(), error = std::move(error)] { state->end(error); };
    if (state_->loop->reactor.on_thread()) return command();
    state_->loop->reactor.post(std::move(command));
}

// --- LinkRequest -----------------------------------------------------------------------------------------------------

LinkRequest::LinkRequest(std::unique_ptr<State> state) : state_(std::move(state)) {}
LinkRequest::LinkRequest(LinkRequest&&) noexcept = default;

LinkRequest& LinkRequest::operator=(LinkRequest&& other) noexcept {
    LinkRequest dropped(std::move(*this));
    state_ = std::move(other.state_);
    return *this;
}

LinkRequest::~LinkRequest() {
    if (!state_ || state_->answered) return;
    refuse(
        {.condition = codec::condition::not_implemented, .description = "nobody here takes such a link", .info = {}});
}

const codec::Attach& LinkRequest::attach() const { return state_->remote; }

std::optional<std::string> LinkRequest::address() const {
    const codec::Attach& remote = state_->remote;
    if (remote.role == codec::Role::receiver) return remote.source ? remote.source->address : std::nullopt;
    const auto* node = remote.target ? std::get_if<codec::Target>(&*remote.target) : nullptr;
    return node ? node->address : std::nullopt;
}

bool LinkRequest::wants_dynamic() const {
    const codec::Attach& remote = state_->remote;
    if (remote.role == codec::Role::receiver) return remote.source && remote.source->dynamic;
    const auto* node = remote.target ? std::get_if<codec::Target>(&*remote.target) : nullptr;
    return node && node->dynamic;
}

Sender LinkRequest::accept_sender(SenderOptions options, std::shared_ptr<SenderHandler> handler) {
    const auto connection = state_->connection.lock();
    APROTIC_ASSERT(connection && !state_->answered && state_->remote.role == codec::Role::receiver);
    state_->answered = true;
    mirror(options.link, state_->remote, codec::Role::sender);
    auto link = std::make_shared<SenderState>(*connection, std::move(options.link), options.queue_bytes_max,
                                              std::move(handler));
    link->remote.set(state_->remote);
    connection->accept_link(link, state_->link);
    return SenderState::make_handle(link, connection);
}

Receiver LinkRequest::accept_receiver(ReceiverOptions options, std::shared_ptr<ReceiverHandler> handler) {
    const auto connection = state_->connection.lock();
    APROTIC_ASSERT(connection && !state_->answered && state_->remote.role == codec::Role::sender);
    state_->answered = true;
    mirror(options.link, state_->remote, codec::Role::receiver);
    const CreditWindow window{.deliveries = options.credit, .bytes = options.credit_bytes};
    auto link = std::make_shared<ReceiverState>(*connection, std::move(options.link), window, std::move(handler));
    link->remote.set(state_->remote);
    connection->accept_link(link, state_->link);
    return ReceiverState::make_handle(link, connection);
}

void LinkRequest::refuse(codec::ErrorCondition why) {
    if (!state_ || std::exchange(state_->answered, true)) return;
    const auto connection = state_->connection.lock();
    Engine* engine = connection ? connection->engine() : nullptr;
    if (engine == nullptr) return;
    // A link that has gone in between needs no answer.
    static_cast<void>(engine->refuse(state_->link, std::move(why)));
    connection->wake();
}

}  // namespace aprotic::engine
