#include <aprotic/engine/state/connection_state.hpp>
#include <aprotic/engine/state/session_state.hpp>

namespace aprotic::engine {

SessionState::SessionState(std::shared_ptr<ConnectionState> its_connection, SessionOptions its_options, bool is_common)
    : connection(its_connection), loop(its_connection->loop), options(std::move(its_options)), common(is_common) {}

void SessionState::handles_gone() {
    const auto gone = [self = shared_from_this()] {
        self->held = false;
        self->end_unused();
    };
    if (loop->reactor.on_thread()) return gone();
    loop->reactor.post(gone);
}

void SessionState::end_unused() {
    if (!common && !held && links == 0) end({});
}

void SessionState::end(std::optional<codec::ErrorCondition> error) {
    if (std::exchange(over, true)) return;
    const auto owner = connection.lock();
    Engine* engine = owner ? owner->engine() : nullptr;
    if (engine == nullptr) return;
    if (id) {
        // Gone already is as good: the event is on its way.
        static_cast<void>(engine->end(*id, std::move(error)));
        owner->wake();
    }
}

}  // namespace aprotic::engine
