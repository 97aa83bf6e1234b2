#pragma once

// What the programs on Proton C share: the proactor's loop as in its examples (direct.c, send.c, receive.c), with one
// message object and one buffer that are used again and again.

#include <proton/condition.h>
#include <proton/connection.h>
#include <proton/delivery.h>
#include <proton/link.h>
#include <proton/listener.h>
#include <proton/message.h>
#include <proton/netaddr.h>
#include <proton/proactor.h>
#include <proton/sasl.h>
#include <proton/session.h>
#include <proton/transport.h>

#include <iostream>
#include <memory>
#include <utility>
#include <vector>

#include "e2e/common.hpp"

namespace bench::proton_c {

/// A message and the octets it is encoded to or decoded from.
class Letter {
public:
    Letter() : message_(pn_message()), delivered_(64 * 1024) {}
    Letter(const Letter&) = delete;
    Letter& operator=(const Letter&) = delete;
    ~Letter() {
        pn_message_free(message_);
        std::free(encoded_.start);
    }
    pn_message_t* get() const { return message_; }

    /// Empty, with a body of data.
    pn_message_t* clear(pn_bytes_t octets) {
        pn_message_clear(message_);
        pn_message_set_inferred(message_, true);
        pn_data_put_binary(pn_message_body(message_), octets);
        return message_;
    }
    /// Sends it as the delivery with this number.
    void send(pn_link_t* sender, std::uint64_t number, bool settled) {
        pn_delivery_t* const delivery =
            pn_delivery(sender, pn_dtag(reinterpret_cast<const char*>(&number), sizeof number));
        if (pn_message_send(message_, sender, &encoded_) < 0)
            throw std::runtime_error(pn_error_text(pn_message_error(message_)));
        if (settled) pn_delivery_settle(delivery);
    }
    /// Adds what has come of the delivery; true when the message is whole, and then it is decoded.
    bool receive(pn_delivery_t* delivery) {
        const std::size_t size = pn_delivery_pending(delivery);
        if (delivered_.size() < got_ + size) delivered_.resize(got_ + size);
        const ssize_t n = pn_link_recv(pn_delivery_link(delivery), delivered_.data() + got_, size);
        if (n < 0 && n != PN_EOS) throw std::runtime_error(pn_code(static_cast<int>(n)));
        got_ += n > 0 ? static_cast<std::size_t>(n) : 0;
        if (pn_delivery_partial(delivery)) return false;
        const std::size_t whole = std::exchange(got_, 0);
        if (pn_message_decode(message_, delivered_.data(), whole) != 0)
            throw std::runtime_error(pn_error_text(pn_message_error(message_)));
        return true;
    }
    /// The data in the body.
    pn_bytes_t body() const {
        pn_data_t* const data = pn_message_body(message_);
        pn_data_rewind(data);
        if (!pn_data_next(data) || pn_data_type(data) != PN_BINARY) throw std::runtime_error("a body that is no data");
        return pn_data_get_binary(data);
    }

private:
    pn_message_t* const message_;
    pn_rwbytes_t encoded_{};
    std::vector<char> delivered_;
    std::size_t got_ = 0;
};

/// The first octets of a body, which may have fewer than head_size.
struct Head {
    explicit Head(pn_bytes_t octets) { std::memcpy(start, octets.start, std::min(octets.size, head_size)); }
    char start[head_size] = {};
};

class Program {
public:
    explicit Program(const Arguments& given) : arguments(given), proactor_(pn_proactor()) {}
    Program(const Program&) = delete;
    Program& operator=(const Program&) = delete;
    virtual ~Program() { pn_proactor_free(proactor_); }

    void run();
    virtual void report() = 0;

protected:
    virtual void begin();
    virtual void on_open(pn_connection_t*) {}  ///< as client: the peer has opened
    virtual void on_link_open(pn_link_t*) = 0;
    virtual void on_credit(pn_link_t*) {}
    virtual void on_delivery(pn_delivery_t*) {}
    virtual void on_wake(pn_connection_t*) {}
    virtual void on_link_close(pn_link_t*) {}
    virtual void on_transport_close() {
        if (arguments.listen) stop_listening();
    }
    virtual bool failures_matter() const { return true; }

    void connect();
    void stop_listening() {
        if (listener_ != nullptr) pn_listener_close(listener_);
    }
    /// From now on the proactor's loop ends.
    void leave() { left_ = true; }
    static pn_session_t* open_session(pn_connection_t* connection) {
        pn_session_t* const session = pn_session(connection);
        pn_session_open(session);
        return session;
    }
    pn_link_t* open_sender(pn_session_t* session, const std::string& address) const;
    /// An empty address asks for a node.
    pn_link_t* open_receiver(pn_session_t* session, const std::string& address) const;
    void grant(pn_link_t* receiver) const { pn_link_flow(receiver, static_cast<int>(arguments.credit)); }
    /// Accepts and settles, and grants more when half of the window has been used.
    void accept(pn_delivery_t* delivery) const {
        pn_link_t* const link = pn_delivery_link(delivery);
        pn_delivery_update(delivery, PN_ACCEPTED);
        pn_delivery_settle(delivery);
        const int window = static_cast<int>(arguments.credit);
        if (pn_link_credit(link) <= window / 2) pn_link_flow(link, window - pn_link_credit(link));
    }

    const Arguments arguments;

private:
    bool handle(pn_event_t* event);
    void check(pn_event_t* event, pn_condition_t* condition) const;

    pn_proactor_t* const proactor_;
    pn_listener_t* listener_ = nullptr;
    bool left_ = false;
};

/// Null: another file's mode.
std::unique_ptr<Program> make_messages(const Arguments& arguments);
std::unique_ptr<Program> make_calls(const Arguments& arguments);
std::unique_ptr<Program> make_connections(const Arguments& arguments);

}  // namespace bench::proton_c
