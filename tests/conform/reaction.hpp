#pragma once

#include <functional>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <aprotic/codec/frame.hpp>

namespace aprotic::conform {

/// What came from the peer. The view lies in `octets`, so it is moved and not copied.
struct Heard {
    enum class Kind { nothing, end, header, frame, bad };
    Kind kind = Kind::nothing;
    codec::ProtocolHeader header{};
    std::vector<std::byte> octets{};
    codec::FrameView view{};
    std::string problem{};  ///< of what is bad

    Heard() = default;
    Heard(Heard&&) = default;
    Heard& operator=(Heard&&) = default;

    bool is(std::uint64_t code) const { return kind == Kind::frame && view.code == code; }
    template <class T>
    std::optional<T> as() const {
        if (!is(codec::Table<T>::code)) return std::nullopt;
        auto decoded = view.as<T>();
        if (!decoded) return std::nullopt;
        return std::move(*decoded);
    }
    /// One line.
    std::string text() const;
    /// The condition of a close, end or detach; empty without error.
    std::string condition() const;
};

enum class Grade { strict, recorded, lenient };

/// Something that a peer may do, and whether the text asks for it.
struct Reaction {
    std::string name;
    std::function<bool(const Heard&)> matches;  ///< empty: the peer goes on as if nothing had been
    Grade grade = Grade::strict;

    /// The same, accepted but not what the text asks for.
    Reaction lenient() const { return {name, matches, Grade::lenient}; }
    /// The same, neither right nor wrong.
    Reaction recorded() const { return {name, matches, Grade::recorded}; }
};
using Reactions = std::vector<Reaction>;

using Conditions = std::initializer_list<std::string_view>;
/// Closes the connection with one of these conditions; without any: with some error.
Reaction closes(Conditions conditions = {});
Reaction ends(Conditions conditions = {});
Reaction detaches(Conditions conditions = {});
/// Ends the stream without a close: the same as a crash looks like, so never more than lenient.
Reaction drops();
/// The same where there is nothing else to end with: before an open, and in the SASL layer. [5.1-a]
Reaction ends_stream();
/// Nothing happens, and what comes later is served.
Reaction ignores();
/// Sends a performative, for which `accepts` holds if given.
template <class T>
Reaction answers(std::string name, std::function<bool(const T&)> accepts = {}) {
    return {std::move(name), [accepts = std::move(accepts)](const Heard& heard) {
                const auto performative = heard.as<T>();
                return performative && (!accepts || accepts(*performative));
            }};
}
/// Sends this protocol header.
Reaction answers_header(codec::ProtocolHeader header);
/// Closes in order, without an error.
Reaction closes_in_order();

Reactions operator+(Reactions a, const Reactions& b);

/// What malformed octets in a frame that can be told apart may lead to: the scopes and conditions that the text has for
/// it; other conditions and a bare end of the stream are lenient.
Reactions refuses_malformed();
/// What a frame that cannot be told from the next one leads to. [2.3]
Reactions refuses_framing();
/// The same where no more than the beginning of such a frame has come: one that waits for the rest of it has not
/// received it yet.
Reactions refuses_announced();
/// What is well-formed and not legal in this place or state: any error, in whatever scope.
Reactions refuses();

/// What the peer's reactions of a case came to so far.
struct Outcome {
    Grade grade = Grade::strict;
    std::vector<std::string> ways{};
    std::vector<std::string> notes{};
    std::string sent{};   ///< decoded
    std::string heard{};  ///< decoded

    void took(const Reaction& reaction);
    void took(std::string way, Grade with = Grade::strict);
};

}  // namespace aprotic::conform
