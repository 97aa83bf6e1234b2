#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include <aprotic/driver/bus/groundwork.hpp>
#include <aprotic/driver/bus/request_pair.hpp>

namespace aprotic::driver::bus {

/// Declares queues and bindings at RabbitMQ 4, by HTTP over AMQP at its node /management [http-over-amqp 5]: a queue
/// that is sent to or taken from must be there first. Reactor's thread only.
///
/// What is declared the other way round already, by an operator for example, is taken as it is.
class Management final : public Groundwork, public std::enable_shared_from_this<Management> {
public:
    explicit Management(Peer& peer);

    void lay(const NodeRef& node, Done done) override;
    void forget(const std::string& address) override { declared_.erase(address); }
    void close() override;

private:
    struct Step {
        std::string method;
        std::string path;
        codec::Map body;
    };

    std::vector<Step> steps_for(const NodeRef& node) const;
    void go(const std::string& address, std::vector<Step> left);
    void end(const std::string& address, const std::optional<engine::Failure>& why);

    const std::weak_ptr<Peer> peer_;
    const std::shared_ptr<RequestPair> pair_;
    std::set<std::string, std::less<>> declared_;
    std::map<std::string, std::vector<Done>, std::less<>> waiting_;  ///< by address
};

}  // namespace aprotic::driver::bus
