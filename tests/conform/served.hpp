#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "conform/context.hpp"
#include "conform/steps.hpp"
#include "conform/suite.hpp"

namespace aprotic::conform {

/// A client under test and the part of its server, played up to where a case's question begins. Each step takes what
/// the client sends next and answers it; a step does those before it. What fails in them is none of the question.
///
/// Channel 0 and handle 0 are the server's unless the case says otherwise. Links and sessions that the client makes
/// besides the one it was told to make are answered in order.
class Served {
public:
    /// Starts the client and takes its connection.
    Served(Context& t, Task task);
    /// A client that sends, or receives, `count` messages.
    static Task sends(std::uint32_t count = 1, std::size_t size = 16) {
        return {.role = codec::Role::sender, .count = count, .size = size};
    }
    static Task receives(std::uint32_t count = 1) { return {.role = codec::Role::receiver, .count = count}; }

    // --- what the server says; to be changed before the step that says it -------------------------------------------

    peer::OpenFrame open_frame;
    peer::BeginFrame begin_frame = peer::begin();
    /// Is given the answer to the client's attach before it goes out.
    std::function<void(peer::AttachFrame&)> attaching;

    // --- the steps --------------------------------------------------------------------------------------------------

    /// Headers; where the client asks for it the SASL layer, which lets in whatever it brings.
    Served& greet();
    /// The client's open has come and is not answered.
    Served& hear_open();
    Served& open();
    Served& hear_begin();
    Served& begin();
    /// The client's attach of the link that it was told to make has come.
    Served& hear_attach();
    Served& attach();

    /// A flow for the link of a client that sends: with this credit, counted from what has come so far.
    peer::FlowFrame flow(std::uint32_t credit) { return receiver().flow(credit); }
    /// The client has had its messages dealt with, and goes: detach, end and close, of which it may leave out the first
    /// two, without error. Notes how its process ended.
    void leaves_in_order();
    /// Notes how the client's process has ended, or that it has not.
    void note_exit();

    /// Our end of the link of a client that sends; does all the steps.
    Receiver& receiver();
    /// Waits until a client that receives has given credit; how much.
    std::uint32_t await_credit();
    /// The credit that a flow tells for a client that receives, counted from this delivery-count of ours; none where it
    /// is no flow of the link.
    std::optional<std::uint32_t> credit_in(const Heard& heard, std::uint32_t delivery_count) const;

    Context& t;
    Task task;
    Line& line;

    // --- what the client said ---------------------------------------------------------------------------------------

    codec::ProtocolHeader first_header;  ///< SASL or AMQP
    codec::Open their_open;
    codec::Begin their_begin;
    std::uint16_t channel = 0;  ///< of the client's session
    codec::Attach their_attach;

private:
    enum class Step { start, greeted, open_heard, opened, begin_heard, begun, attach_heard, attached };
    /// The next frame of this kind; what is besides it is answered in order.
    template <class T>
    Got<T> next();
    bool answer_besides(const Heard& heard);
    /// Whether a step is still to be done.
    bool is_due(Step step) const { return done_ < step; }

    Step done_ = Step::start;
    std::optional<Receiver> receiver_;
    std::uint16_t next_channel_ = 1;
    std::uint32_t next_handle_ = 1;
};

/// The part of the server in the SASL layer: the header has come and is answered, and these mechanisms are offered.
void offer(Line& line, std::vector<codec::Symbol> mechanisms);

/// A client that sends, with credit for all it has, on a session whose window the server moves step by step. No frame
/// is larger than 512 octets.
class Window {
public:
    Window(Context& t, Task task, std::uint32_t window);
    /// Says that so many frames of the session have come, and so many more may.
    void move(std::uint32_t come, std::uint32_t window);
    /// Just so many transfer frames come.
    void expect(unsigned wanted, const std::string& why) { expect_transfers(s.line, wanted, why); }

    Served s;
    std::uint32_t start = 0;  ///< the client's first transfer-id
};

/// A client that takes up either part.
Task any_task(Context& t);
/// One that is told to send or to receive, with user and password, and has asked for a SASL layer.
Line& asked_for_sasl(Context& t);
/// Cases for clients out of cases that do not say so.
Cases of_clients(Cases cases);

}  // namespace aprotic::conform
