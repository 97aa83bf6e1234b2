#pragma once

#include <aprotic/engine/core/link_endpoint.hpp>
#include <aprotic/engine/core/ring.hpp>

namespace aprotic::engine::core {

/// Chooses whose transfer frame is next: every link that has a message, credit and an open session window gets one
/// frame per turn, so that a large message on one link does not hold up the others of the connection.
class TransferScheduler {
public:
    /// Something changed that may let the link send: a message, credit, the session's window.
    void consider(LinkEndpoint& link) {
        if (!link.in_scheduler && link.sendable()) push_back(link);
    }
    void remove(LinkEndpoint& link) noexcept {
        if (!link.in_scheduler) return;
        link.in_scheduler = false;
        // Its place is passed over.
        for (std::size_t i = 0; i < ready_.size(); ++i) {
            if (ready_[i] == &link) ready_[i] = nullptr;
        }
    }

    /// Whether any link can send a frame now.
    bool has_work() noexcept {
        while (!ready_.empty() && (ready_.front() == nullptr || !ready_.front()->sendable())) pop_front();
        return !ready_.empty();
    }
    /// Writes the next frame into `outbox`; false when there is none.
    bool write_next(Outbox& outbox) {
        if (!has_work()) return false;
        LinkEndpoint& link = *pop_front();
        link.write_transfer(outbox);
        if (!link.in_scheduler) push_back(link);  // whether it has more to send is asked when its turn comes
        return true;
    }

private:
    void push_back(LinkEndpoint& link) {
        link.in_scheduler = true;
        ready_.push_back(&link);
    }
    LinkEndpoint* pop_front() {
        LinkEndpoint* const link = ready_.pop_front();
        if (link != nullptr) link->in_scheduler = false;
        return link;
    }

    Ring<LinkEndpoint*> ready_;
};

}  // namespace aprotic::engine::core
