#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "conform/client.hpp"
#include "conform/faulty_server.hpp"
#include "peer/channel.hpp"
#include "peer/frames.hpp"

namespace aprotic::conform {

/// A small client of one's own, in memory, that sends or receives what its task says and then goes. It breaks a rule
/// where it is told so: the suite must find exactly that.
class FaultyClient final : public peer::Machine {
public:
    FaultyClient(Faults& faults, Task task);

    std::size_t feed(std::span<const std::byte> bytes) override;
    std::vector<std::byte> take_output(std::size_t max) override;
    bool closed() const override { return closed_ && output_.empty(); }
    peer::Duration advance(peer::Duration at_most) override { return at_most; }
    void end_of_input() override { closed_ = true; }
    void cut(peer::Cut) override { closed_ = true; }

    bool crashed() const { return crashed_; }
    std::optional<int> exit_code() const;

private:
    bool is_sender() const { return task_.role == codec::Role::sender; }
    void take_header();
    void begin_amqp();
    void take_sasl_frame(const codec::FrameView& frame);
    void take_frame(const codec::FrameView& frame);
    void on(const codec::Open& open, std::uint16_t channel);
    void on(const codec::Begin& begin, std::uint16_t channel);
    void on(const codec::Attach& attach, std::uint16_t channel);
    void on(const codec::Flow& flow, std::uint16_t channel);
    void on(const codec::Transfer& transfer, std::uint16_t channel);
    void on(const codec::Disposition& disposition, std::uint16_t channel);
    void on(const codec::Detach& detach, std::uint16_t channel);
    void on(const codec::End& end, std::uint16_t channel);
    void on(const codec::Close& close, std::uint16_t channel);
    void send_messages();
    void send_flow();
    void leave();
    void fail_with(std::string_view condition);
    template <class Frame>
    void send(const Frame& frame) {
        write(frame.encode(0).span());
    }
    void write(std::span<const std::byte> octets) { output_.insert(output_.end(), octets.begin(), octets.end()); }

    Faults& faults_;
    Task task_;
    std::vector<std::byte> input_, output_;
    std::deque<peer::TransferFrame> frames_;  // of messages begun and not sent whole
    std::size_t frame_size_max_ = 512;
    std::uint32_t window_end_ = 0, next_outgoing_id_ = 0;  // transfer-ids
    std::uint32_t credit_end_ = 0, delivery_count_ = 0;
    std::uint32_t next_incoming_id_ = 0, settled_ = 0;
    bool in_sasl_ = false, header_taken_ = false, mapped_ = false, attached_ = false, refused_ = false;
    bool closing_ = false, closed_ = false, crashed_ = false;
};

/// Clients in memory with these faults, which must outlive them.
class FaultyClients final : public Clients {
public:
    explicit FaultyClients(Faults& faults) : faults_(faults) {}

    bool has(codec::Role role) const override {
        return !faults_.has(role == codec::Role::sender ? "there is no sender" : "there is no receiver");
    }
    std::string start(const Task& task) override;
    std::unique_ptr<peer::Channel> accept(peer::Duration patience, std::string& why) override;
    std::optional<int> wait(peer::Duration patience) override;
    Ended stop() override;

private:
    Faults& faults_;
    std::shared_ptr<FaultyClient> client_;
    bool connected_ = false;
};

}  // namespace aprotic::conform
