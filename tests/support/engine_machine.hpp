#pragma once

#include "peer/channel.hpp"

#include <aprotic/codec/bytes.hpp>
#include <aprotic/engine/event.hpp>
#include <aprotic/engine/failure.hpp>
#include <aprotic/engine/time.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <deque>
#include <optional>
#include <span>
#include <string>
#include <system_error>
#include <utility>
#include <variant>
#include <vector>

namespace aprotic::test {

/// The start of a test's time; far from zero so that no default-made Instant is ever taken for a deadline.
inline engine::Instant start_of_time() { return engine::Instant(std::chrono::hours(1)); }

/// Drives anything with the byte side of engine::Engine (the facade, or the endpoint below it) as the pump would, in
/// virtual time, and holds its contract: events after the last one, an end without ConnectionEnded and the like throw
/// ScriptError.
template <class E>
class EngineMachine final : public peer::Machine {
public:
    /// `make(now)` returns the engine.
    template <class Make>
    explicit EngineMachine(Make make) : engine_(make(start_of_time())), now_(start_of_time()) {}

    E& engine() { return engine_; }
    E* operator->() { return &engine_; }
    engine::Instant now() const { return now_; }

    /// The application does not look at events for now.
    bool events_held = false;

    /// The next event, taken as a T; anything else is an error of the script.
    template <class T>
    T expect_event() {
        drain_events();
        if (events_.empty()) throw peer::ScriptError("expected an event, got none");
        T* wanted = std::get_if<T>(&events_.front());
        if (wanted == nullptr) {
            throw peer::ScriptError("expected another event than number " + std::to_string(events_.front().index()) +
                                    " of engine::Event");
        }
        T event = std::move(*wanted);
        events_.pop_front();
        return event;
    }
    /// The next event of kind T, leaving out what comes before it.
    template <class T>
    T skip_to_event() {
        drain_events();
        while (!events_.empty() && !std::holds_alternative<T>(events_.front())) events_.pop_front();
        return expect_event<T>();
    }
    void expect_no_event() {
        drain_events();
        if (!events_.empty()) {
            throw peer::ScriptError("expected no event, got number " + std::to_string(events_.front().index()) +
                                    " of engine::Event");
        }
    }
    bool has_ended() {
        drain_events();
        return ended_;
    }
    /// The failure of ConnectionEnded, once it came.
    const std::optional<engine::Failure>& failure() {
        drain_events();
        return failure_;
    }

    std::size_t feed(std::span<const std::byte> bytes) override {
        std::size_t done = 0;
        while (done < bytes.size()) {
            const std::span<std::byte> room = engine_.prepare_read();
            if (room.empty()) break;
            const std::size_t size = std::min(room.size(), bytes.size() - done);
            std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(done), size, room.begin());
            engine_.commit_read(size, now_);
            done += size;
            drain_events();
        }
        return done;
    }

    std::vector<std::byte> take_output(std::size_t max) override {
        std::vector<std::byte> taken;
        std::array<codec::ConstBuffer, 8> buffers;
        while (taken.size() < max) {
            const std::size_t count = engine_.prepare_write(buffers, now_);
            if (count == 0) break;
            const std::size_t before = taken.size();
            for (const codec::ConstBuffer& buffer : std::span(buffers).first(count)) {
                const std::size_t size = std::min(buffer.size, max - taken.size());
                taken.insert(taken.end(), buffer.data, buffer.data + size);
            }
            if (taken.size() == before) throw peer::ScriptError("prepare_write gave only empty buffers");
            engine_.commit_write(taken.size() - before, now_);
        }
        drain_events();
        return taken;
    }

    bool closed() const override { return engine_.wants_close(); }

    peer::Duration advance(peer::Duration at_most) override {
        const std::optional<engine::Instant> next = engine_.poll_timeout();
        if (!next || *next > now_ + at_most) {
            now_ += at_most;
            return at_most;
        }
        const engine::Instant before = now_;
        now_ = std::max(now_, *next);
        engine_.handle_timeout(now_);
        drain_events();
        idle_turns_ = now_ > before ? 0 : idle_turns_ + 1;
        if (idle_turns_ > 1000) throw peer::ScriptError("handle_timeout does not move the deadline");
        return now_ - before;
    }

    /// Lets time go by with nobody reading what the engine writes.
    void pass(peer::Duration by) {
        while (by > peer::Duration::zero()) by -= advance(by);
    }

    void end_of_input() override {
        engine_.close_read({}, now_);
        drain_events();
    }

    /// After a broken stream the engine must end by itself; after silence once the application gives up and closes.
    void cut(peer::Cut how) override {
        switch (how) {
            case peer::Cut::reset: {
                const auto why = std::make_error_code(std::errc::connection_reset);
                engine_.close_read(why, now_);
                engine_.close_write(why, now_);
                break;
            }
            case peer::Cut::eof: engine_.close_read({}, now_); break;
            case peer::Cut::silence: engine_.close(); break;
        }
        for (int turns = 0; turns < 1000 && !engine_.wants_close(); ++turns) {
            take_output(SIZE_MAX);
            pass(std::chrono::seconds(1));
        }
        if (!engine_.wants_close()) throw peer::ScriptError("the engine does not want its broken stream closed");
        drain_events();
        if (!ended_) throw peer::ScriptError("the engine wants its stream closed but never said ConnectionEnded");
        if (!engine_.prepare_read().empty())
            throw peer::ScriptError("the engine wants to read from a stream that is over");
        if (!take_output(SIZE_MAX).empty())
            throw peer::ScriptError("the engine wants to write to a stream that is over");
        if (engine_.poll_timeout()) throw peer::ScriptError("the engine has a deadline although everything is over");
    }

private:
    void drain_events() {
        if (events_held) return;
        while (auto event = engine_.poll_event()) {
            if (ended_) throw peer::ScriptError("an event after ConnectionEnded");
            if (const auto* end = std::get_if<engine::ConnectionEnded>(&*event)) {
                ended_ = true;
                failure_ = end->failure;
            }
            events_.push_back(std::move(*event));
        }
    }

    E engine_;
    engine::Instant now_;
    std::deque<engine::Event> events_;
    std::optional<engine::Failure> failure_;
    bool ended_ = false;
    int idle_turns_ = 0;
};

}  // namespace aprotic::test
