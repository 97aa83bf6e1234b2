#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include <aprotic/codec/message.hpp>
#include <aprotic/codec/result.hpp>
#include <aprotic/engine/connection.hpp>
#include <aprotic/engine/function.hpp>
#include <aprotic/engine/reactor.hpp>

namespace aprotic::driver::bus {

class Peer;

/// Requests to a node of the peer's own, and its answers: a link there and a link back in one session. Reactor's thread
/// only.
class RequestPair final : public std::enable_shared_from_this<RequestPair> {
public:
    struct Node {
        std::string address;   ///< "/management", "$cbs"
        bool paired = false;   ///< the links have one name, know of each other, and `reply-to` is "$me" [linkpair 2.1]
        bool settled = false;  ///< requests and answers go settled
        engine::Duration patience{};  ///< until an answer is given up
    };
    using Answer = codec::Result<codec::Message, engine::Failure>;

    RequestPair(Peer& peer, Node node);

    /// Gives the request its message-id and reply-to, and sends it. `done` is called once, but not after close().
    void ask(codec::Message request, engine::Function<void(Answer)> done);
    void close();

private:
    struct Sending;
    struct Receiving;
    struct Question {
        engine::Function<void(Answer)> done;
        engine::Reactor::TimerId timer = 0;
    };

    void open();
    void take(const codec::MessageView& answer);
    void end(std::uint64_t number, Answer answer);
    void lost(const std::optional<engine::Failure>& why);

    const std::weak_ptr<Peer> peer_;
    const Node node_;
    std::string name_;
    engine::Session session_;
    engine::Sender sender_;
    engine::Receiver receiver_;
    std::uint64_t last_number_ = 0;
    std::map<std::uint64_t, Question> questions_;
    bool closed_ = false;
};

}  // namespace aprotic::driver::bus
