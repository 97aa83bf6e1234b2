#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <aprotic/driver/bus/letter.hpp>
#include <aprotic/engine/connection.hpp>

namespace aprotic::driver::bus {

class Bus;
class Outbound;
class Peer;

/// What a letter's message says beside the letter.
struct Dispatch {
    std::string_view reply_to{};
    std::string_view host{};             ///< for texts
    const Profile* profile = nullptr;    ///< of the peer, unless it is a client
    std::weak_ptr<Outbound> outbound{};  ///< told when it is over
};
/// Encodes a letter and gives it to a link, whose answer goes to the bus.
void hand_over(Bus& bus, const LetterPtr& letter, const engine::Sender& sender, Dispatch dispatch);

/// One destination on one connection: its link, and the letters that wait for the link. Reactor's thread only.
class Outbound final : public engine::SenderHandler, public std::enable_shared_from_this<Outbound> {
public:
    Outbound(Peer& peer, NodeRef node);

    void send(LetterPtr letter);
    /// Sends again what came back from the link: at once when the link will be made anew, else after the retry delay.
    void send_later(LetterPtr letter);
    /// Closes the link; what waits here is the caller's.
    std::deque<LetterPtr> close();

    const std::string& address() const noexcept { return node_.address; }
    /// Nothing waits and nothing is under way.
    bool is_idle() const noexcept { return waiting_.empty() && handed_ == 0; }
    /// True on the second call in a row between which nothing was sent.
    bool was_unused() noexcept { return std::exchange(unused_, true) && is_idle(); }
    /// What keeps a letter that was handed over, in words.
    std::string obstacle() const;
    /// Why the link was lost last; nullopt while there is one that is open.
    const std::optional<engine::Failure>& last_failure() const noexcept { return last_failure_; }

    // Where servers are chosen from, the link is opened first and letters come when it has credit.
    void ensure_open() {
        if (!sender_ && !paused_) open();
    }
    bool is_ready() const { return ready_for_ > 0 && sender_ && sender_.is_open() && sender_.credit() > 0; }
    /// Has less under way than another, or as much and was chosen longer ago.
    bool is_freer_than(const Outbound& other) const {
        return std::pair(*load_, last_choice_) < std::pair(*other.load_, other.last_choice_);
    }
    /// It is chosen; its letter counts from now on.
    const std::shared_ptr<std::size_t>& choose(std::uint64_t choice) {
        last_choice_ = choice;
        return load_;
    }
    /// A letter has ended.
    void one_over(const Letter& letter, const engine::Outcome& outcome);

    void on_open(engine::Sender&) override {
        opened_ = true;
        last_failure_.reset();
        tell_ready();
    }
    void on_credit(engine::Sender&) override {
        end_stall();
        tell_ready();
    }
    void on_close(engine::Sender& sender, const std::optional<engine::Failure>& why) override;

private:
    /// The link, or what must be done before there can be one.
    void open();
    void attach();
    void on_unprepared(const engine::Failure& why);
    void open_after(Duration pause);
    void send_waiting();
    void hand_over(const LetterPtr& letter);
    /// Letters go out again, or never will.
    void end_stall();
    void tell_ready();

    std::weak_ptr<Peer> peer_;
    std::weak_ptr<Bus> bus_;
    const NodeRef node_;
    engine::Sender sender_;
    bool opened_ = false;  ///< the link was answered
    std::optional<engine::Failure> last_failure_;
    bool closed_ = false;                     ///< by the bus: this object is on its way out
    bool paused_ = false;                     ///< a timer or the peer's preparation is waited for
    unsigned failures_ = 0;                   ///< of the link, in a row
    std::size_t handed_ = 0;                  ///< letters at the link
    std::optional<engine::Instant> stalled_;  ///< since when letters wait for credit, if somebody counts
    const Letter* stalled_by_ = nullptr;      ///< the first of them
    bool unused_ = false;
    const std::shared_ptr<std::size_t> load_ = std::make_shared<std::size_t>(0);
    std::uint64_t last_choice_ = 0;
    /// Letters that there was credit for when it was told. The link counts a letter only when it serves its queue.
    std::uint32_t ready_for_ = 0;
    std::deque<LetterPtr> waiting_;
};

}  // namespace aprotic::driver::bus
