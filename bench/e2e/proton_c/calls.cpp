// The sibling of ours/calls.cpp on Proton C.

#include <map>

#include "program.hpp"

namespace bench::proton_c {
namespace {

class Request final : public Program {
public:
    explicit Request(const Arguments& given) : Program(given), calls_(arguments) {}
    void report() override { calls_.report(); }

private:
    void on_open(pn_connection_t* connection) override {
        connection_ = connection;
        pn_session_t* const session = open_session(connection);
        sender_ = open_sender(session, arguments.address);
        open_receiver(session, "");
    }
    void on_link_open(pn_link_t* link) override {
        if (pn_link_is_sender(link)) return;
        reply_to_ = pn_terminus_get_address(pn_link_remote_source(link));
        calls_.start([this] { pn_connection_wake(connection_); });
        send();
    }
    void on_credit(pn_link_t*) override { send(); }
    void on_wake(pn_connection_t*) override { send(); }
    void on_delivery(pn_delivery_t* delivery) override {
        if (pn_link_is_sender(pn_delivery_link(delivery))) return pn_delivery_settle(delivery);
        if (!pn_delivery_readable(delivery) || !reply_.receive(delivery)) return;
        const pn_msgid_t id = pn_message_get_correlation_id(reply_.get());
        const pn_bytes_t octets = reply_.body();
        if (id.type != PN_ULONG || !calls_.finish(id.u.as_ulong, Head(octets).start, octets.size))
            throw std::runtime_error("a reply that nobody asked for");
        accept(delivery);
        if (calls_.done())
            pn_connection_close(connection_);
        else
            send();
    }
    void send() {
        while (!reply_to_.empty() && pn_link_credit(sender_) > 0 && calls_.may_start()) {
            const std::uint64_t id = calls_.start_next();
            const std::string octets = body(id, arguments.size);
            pn_message_t* const message = request_.clear(pn_bytes(octets.size(), octets.data()));
            pn_msgid_t message_id{};
            message_id.type = PN_ULONG;
            message_id.u.as_ulong = id;
            pn_message_set_id(message, message_id);
            pn_message_set_reply_to(message, reply_to_.c_str());
            request_.send(sender_, id, false);
        }
    }

    Calls calls_;
    Letter request_;
    Letter reply_;
    pn_connection_t* connection_ = nullptr;
    pn_link_t* sender_ = nullptr;
    std::string reply_to_;
};

class Respond final : public Program {
public:
    explicit Respond(const Arguments& given) : Program(given), meter_(arguments.count, arguments.warm_up) {}
    void report() override { meter_.report(); }

private:
    void on_open(pn_connection_t* connection) override {
        if (!arguments.listen) open_receiver(open_session(connection), arguments.address);
    }
    void on_link_open(pn_link_t* link) override {
        if (!arguments.listen) {
            if (pn_link_is_receiver(link)) say("ready");
            return;
        }
        pn_terminus_copy(pn_link_source(link), pn_link_remote_source(link));
        pn_terminus_copy(pn_link_target(link), pn_link_remote_target(link));
        if (pn_link_is_sender(link)) {
            const std::string address = "reply-" + std::to_string(replies_.size());
            pn_terminus_set_address(pn_link_source(link), address.c_str());
            replies_[address] = link;
        }
        pn_link_open(link);
        if (pn_link_is_receiver(link)) grant(link);
    }
    void on_delivery(pn_delivery_t* delivery) override {
        pn_connection_t* const connection = pn_session_connection(pn_link_session(pn_delivery_link(delivery)));
        if (pn_link_is_sender(pn_delivery_link(delivery))) {
            pn_delivery_settle(delivery);
            // Through a broker nobody else closes, and what has no outcome may not have left.
            if (++settled_ == arguments.count && !arguments.listen) pn_connection_close(connection);
            return;
        }
        if (!pn_delivery_readable(delivery) || !request_.receive(delivery)) return;
        const pn_bytes_t octets = request_.body();
        const char* const reply_to = pn_message_get_reply_to(request_.get());
        pn_link_t*& sender = replies_[reply_to];
        if (sender == nullptr) sender = open_sender(pn_link_session(pn_delivery_link(delivery)), reply_to);
        pn_message_t* const message = reply_.clear(octets);
        pn_message_set_address(message, reply_to);
        pn_message_set_correlation_id(message, pn_message_get_id(request_.get()));
        reply_.send(sender, ++number_, false);
        accept(delivery);
        meter_.add_whole(Head(octets).start, octets.size);
    }
    // The requester takes its reply node with it, which ends our link to it.
    void on_link_close(pn_link_t* link) override {
        if (meter_.counted_all()) pn_connection_close(pn_session_connection(pn_link_session(link)));
    }

    std::map<std::string, pn_link_t*> replies_;
    Meter meter_;
    Letter request_;
    Letter reply_;
    std::uint64_t number_ = 0;
    std::uint64_t settled_ = 0;
};

}  // namespace

std::unique_ptr<Program> make_calls(const Arguments& arguments) {
    if (arguments.mode == "request") return std::make_unique<Request>(arguments);
    if (arguments.mode == "respond") return std::make_unique<Respond>(arguments);
    return nullptr;
}

}  // namespace bench::proton_c
