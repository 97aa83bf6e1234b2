#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include <aprotic/codec/message.hpp>
#include <aprotic/engine/broker/rabbit_topology.hpp>
#include <aprotic/engine/connection.hpp>

namespace aprotic::engine::broker {

/// One link pair of a client with /management: requests of HTTP over AMQP, and answers to them. [http-over-amqp 5]
/// Requests must come settled and be one frame each; else the link ends, as at RabbitMQ.
class RabbitManagement final : public std::enable_shared_from_this<RabbitManagement> {
public:
    /// `owner`: whose its exclusive queues are.
    RabbitManagement(std::shared_ptr<RabbitTopology> topology, OwnerId owner)
        : shared_(std::move(topology)), topology_(*shared_), owner_(owner) {}

    /// Neither half is attached.
    bool is_idle() const { return !requests_ && !answers_; }

    // The halves of the pair, each answered with its properties.
    void accept_requests(LinkRequest& request);
    void accept_answers(LinkRequest& request);

    struct Answer {
        int status = 200;
        codec::Value body{};  ///< null, a map, or in words why not
    };
    /// What one request does.
    Answer handle(std::string_view method, std::string_view target, const codec::Value& body);

private:
    struct Requests;
    struct Answers;

    void answer(const codec::MessageView& request);
    Answer put_queue(const std::string& name, const codec::Value& body);
    Answer get_queue(const std::string& name) const;
    Answer delete_queue(const std::string& name);
    Answer purge(const std::string& name);
    Answer put_exchange(const std::string& name, const codec::Value& body);
    Answer bind(const codec::Value& body);
    Answer unbind(std::string_view segment);

    const std::shared_ptr<RabbitTopology> shared_;
    RabbitTopology& topology_;
    const OwnerId owner_;
    Receiver requests_;
    Sender answers_;
};

}  // namespace aprotic::engine::broker
