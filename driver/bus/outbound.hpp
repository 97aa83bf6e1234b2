#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>

#include <aprotic/driver/bus/letter.hpp>
#include <aprotic/engine/connection.hpp>

namespace aprotic::driver::bus {

class Bus;

/// One destination on one connection: its link, and the letters that wait for the link. Reactor's thread only.
class Outbound final : public engine::SenderHandler, public std::enable_shared_from_this<Outbound> {
public:
    Outbound(Bus& bus, std::string address);

    void send(LetterPtr letter);
    /// Sends again what came back from the link: at once when the link will be made anew, else after the retry delay.
    void send_later(LetterPtr letter);
    /// Closes the link; what waits here is the caller's.
    std::deque<LetterPtr> close();

    const std::string& address() const noexcept { return address_; }
    /// Nothing waits and nothing is under way.
    bool is_idle() const noexcept { return waiting_.empty() && handed_ == 0; }
    /// True on the second call in a row between which nothing was sent.
    bool was_unused() noexcept { return std::exchange(unused_, true) && is_idle(); }
    /// What keeps a letter that was handed over, in words.
    std::string obstacle() const;

    void on_credit(engine::Sender&) override {}
    void on_close(engine::Sender& sender, const std::optional<engine::Failure>& why) override;

private:
    void open();
    void open_after(Duration pause);
    void hand_over(const LetterPtr& letter);

    std::weak_ptr<Bus> bus_;
    std::string address_;
    engine::Sender sender_;
    bool closed_ = false;     ///< by the bus: this object is on its way out
    bool paused_ = false;     ///< the link failed and a timer runs until it is tried again
    unsigned failures_ = 0;   ///< of the link, in a row
    std::size_t handed_ = 0;  ///< letters at the link
    bool unused_ = false;
    std::deque<LetterPtr> waiting_;
};

}  // namespace aprotic::driver::bus
