#pragma once

#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "conform/context.hpp"
#include "peer/channel.hpp"
#include "peer/frames.hpp"

namespace aprotic::conform {

/// A small server of one's own, in memory, with queues, that keeps to the specification as far as the suite's framework
/// needs it, and breaks one rule of it where it is told so: the suite must find exactly that.
struct Faults {
    std::set<std::string, std::less<>> switched_on;
    bool dead = false;                                                     ///< serves nobody any more
    std::map<std::string, std::deque<std::string>, std::less<>> queues{};  ///< of all its connections
    unsigned connections = 0;                                              ///< so far

    bool has(std::string_view fault) const { return switched_on.contains(fault); }
};

class FaultyServer final : public peer::Machine {
public:
    explicit FaultyServer(Faults& faults) : faults_(faults), number_(++faults.connections) {}

    std::size_t feed(std::span<const std::byte> bytes) override;
    std::vector<std::byte> take_output(std::size_t max) override;
    bool closed() const override { return closed_ && output_.empty(); }
    peer::Duration advance(peer::Duration at_most) override { return at_most; }
    void end_of_input() override {}
    void cut(peer::Cut) override { closed_ = true; }

private:
    /// A link: which of the queues it is at, and what it sends there where it does.
    struct Link {
        std::string queue;
        bool sends = false;
        std::uint32_t delivery_count = 0;
        std::uint32_t credit = 0;
    };
    /// A session: its links by handle, the same both ways, and what it counts.
    struct Session {
        std::map<std::uint32_t, Link> links;
        std::uint32_t next_delivery_id = 0;
        std::string arriving;  ///< of the delivery that is not whole yet
        std::uint32_t arriving_id = 0;
        bool arriving_settled = false;
    };

    void take_header();
    void take_frame(const codec::FrameView& frame);
    void on(const codec::Open&, std::uint16_t channel);
    void on(const codec::Begin&, std::uint16_t channel);
    void on(const codec::Attach& attach, std::uint16_t channel);
    void on(const codec::Flow& flow, std::uint16_t channel);
    void on(const codec::Transfer& transfer, std::uint16_t channel);
    void on(const codec::Disposition&, std::uint16_t) {}  // what was sent is forgotten
    void deliver(std::uint32_t handle, Link& link, Session& session, std::uint16_t channel);
    void on(const codec::Detach& detach, std::uint16_t channel);
    void on(const codec::End&, std::uint16_t channel);
    void on(const codec::Close&, std::uint16_t channel);
    void close_with(std::string_view condition);
    template <class Frame>
    void send(const Frame& frame) {
        write(frame.encode(0).span());
    }
    void write(std::span<const std::byte> octets) { output_.insert(output_.end(), octets.begin(), octets.end()); }

    Faults& faults_;
    unsigned number_;            // of this connection
    bool error_is_due_ = false;  // and told once there is another connection
    std::vector<std::byte> input_;
    std::vector<std::byte> output_;
    std::map<std::uint16_t, Session> sessions_;  // by channel, the same both ways
    std::string payload_;                        // of the frame at hand
    bool header_taken_ = false;
    bool opened_ = false;
    bool closing_ = false;  // an erroring close was sent: everything but the answer is dropped
    bool closed_ = false;
};

/// Connections to servers with these faults, which must outlive them.
Connector connector_to(Faults& faults);

}  // namespace aprotic::conform
