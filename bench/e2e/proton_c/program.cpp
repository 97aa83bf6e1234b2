// The sibling of ours on Proton C: the proactor's loop and what is common to all modes.

#include "program.hpp"

namespace bench::proton_c {

void Program::run() {
    begin();
    while (true) {
        pn_event_batch_t* const events = pn_proactor_wait(proactor_);
        while (pn_event_t* const event = pn_event_batch_next(events)) {
            if (!handle(event) || left_) return;
        }
        pn_proactor_done(proactor_, events);
    }
}

void Program::begin() {
    if (!arguments.listen) return connect();
    char address[PN_MAX_ADDR];
    pn_proactor_addr(address, sizeof address, arguments.host().c_str(), arguments.port().c_str());
    listener_ = pn_listener();
    pn_proactor_listen(proactor_, listener_, address, 128);
}

void Program::connect() {
    char address[PN_MAX_ADDR];
    pn_proactor_addr(address, sizeof address, arguments.host().c_str(), arguments.port().c_str());
    pn_proactor_connect2(proactor_, nullptr, nullptr, address);
}

pn_link_t* Program::open_sender(pn_session_t* session, const std::string& address) const {
    static int number = 0;
    pn_link_t* const link = pn_sender(session, ("sender-" + std::to_string(++number)).c_str());
    pn_terminus_set_address(pn_link_target(link), address.c_str());
    if (arguments.settled) pn_link_set_snd_settle_mode(link, PN_SND_SETTLED);
    pn_link_open(link);
    return link;
}

pn_link_t* Program::open_receiver(pn_session_t* session, const std::string& address) const {
    static int number = 0;
    pn_link_t* const link = pn_receiver(session, ("receiver-" + std::to_string(++number)).c_str());
    if (address.empty())
        pn_terminus_set_dynamic(pn_link_source(link), true);
    else
        pn_terminus_set_address(pn_link_source(link), address.c_str());
    pn_link_open(link);
    grant(link);
    return link;
}

void Program::check(pn_event_t* event, pn_condition_t* condition) const {
    if (!pn_condition_is_set(condition) || !failures_matter()) return;
    throw std::runtime_error(std::string(pn_event_type_name(pn_event_type(event))) + ": " +
                             pn_condition_get_name(condition) + ": " + pn_condition_get_description(condition));
}

bool Program::handle(pn_event_t* event) {
    switch (pn_event_type(event)) {
        case PN_LISTENER_OPEN: {
            char port[16];
            pn_netaddr_host_port(pn_listener_addr(pn_event_listener(event)), nullptr, 0, port, sizeof port);
            say("listening on " + arguments.host() + ":" + port);
            break;
        }
        case PN_LISTENER_ACCEPT: pn_listener_accept2(pn_event_listener(event), nullptr, nullptr); break;
        case PN_LISTENER_CLOSE:
            listener_ = nullptr;
            check(event, pn_listener_condition(pn_event_listener(event)));
            break;
        case PN_CONNECTION_INIT:
            pn_connection_set_container(pn_event_connection(event), "bench");
            if (!arguments.listen) pn_connection_open(pn_event_connection(event));
            break;
        case PN_CONNECTION_BOUND: {
            pn_transport_t* const transport = pn_event_transport(event);
            if (arguments.listen) pn_transport_require_auth(transport, false);
            pn_sasl_allowed_mechs(pn_sasl(transport), "ANONYMOUS");
            break;
        }
        case PN_CONNECTION_REMOTE_OPEN:
            if (arguments.listen) pn_connection_open(pn_event_connection(event));
            on_open(pn_event_connection(event));
            break;
        case PN_SESSION_REMOTE_OPEN: pn_session_open(pn_event_session(event)); break;
        case PN_LINK_REMOTE_OPEN: on_link_open(pn_event_link(event)); break;
        case PN_LINK_FLOW:
            if (pn_link_is_sender(pn_event_link(event))) on_credit(pn_event_link(event));
            break;
        case PN_DELIVERY: on_delivery(pn_event_delivery(event)); break;
        case PN_CONNECTION_WAKE: on_wake(pn_event_connection(event)); break;
        case PN_LINK_REMOTE_CLOSE:
        case PN_LINK_REMOTE_DETACH:
            on_link_close(pn_event_link(event));
            pn_link_close(pn_event_link(event));
            break;
        case PN_SESSION_REMOTE_CLOSE:
            check(event, pn_session_remote_condition(pn_event_session(event)));
            pn_session_close(pn_event_session(event));
            break;
        case PN_CONNECTION_REMOTE_CLOSE:
            check(event, pn_connection_remote_condition(pn_event_connection(event)));
            pn_connection_close(pn_event_connection(event));
            break;
        case PN_TRANSPORT_CLOSED:
            check(event, pn_transport_condition(pn_event_transport(event)));
            on_transport_close();
            break;
        case PN_PROACTOR_INACTIVE: return false;
        default: break;
    }
    return true;
}

}  // namespace bench::proton_c

int main(int argc, char** argv) {
    using namespace bench::proton_c;
    try {
        const bench::Arguments arguments(argc, argv);
        auto program = make_messages(arguments);
        if (!program) program = make_calls(arguments);
        if (!program) program = make_connections(arguments);
        if (!program) throw std::runtime_error(bench::usage);
        program->run();
        program->report();
    } catch (const std::exception& error) {
        std::cerr << error.what() << std::endl;
        return 1;
    }
}
