#pragma once

#include <aprotic/engine/core/intrusive_list.hpp>
#include <aprotic/engine/core/link_endpoint.hpp>

namespace aprotic::engine::core {

/// Chooses whose transfer frame is next: every link that has a message, credit and an open session window gets one
/// frame per turn, so that a large message on one link does not hold up the others of the connection.
class TransferScheduler {
public:
    /// Something changed that may let the link send: a message, credit, the session's window.
    void consider(LinkEndpoint& link) {
        if (!ready_.contains(link) && link.sendable()) ready_.push_back(link);
    }
    void remove(LinkEndpoint& link) noexcept { ready_.remove(link); }

    /// Whether any link can send a frame now.
    bool has_work() noexcept {
        while (!ready_.empty() && !ready_.front()->sendable()) ready_.pop_front();
        return !ready_.empty();
    }
    /// Writes the next frame into `outbox`; false when there is none.
    bool write_next(Outbox& outbox) {
        if (!has_work()) return false;
        LinkEndpoint& link = ready_.pop_front();
        link.write_transfer(outbox);
        ready_.push_back(link);  // whether it has more to send is asked when its turn comes
        return true;
    }

private:
    IntrusiveList<LinkEndpoint, &LinkEndpoint::in_scheduler> ready_;
};

}  // namespace aprotic::engine::core
