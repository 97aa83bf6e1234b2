#include "conform/reaction.hpp"

#include <algorithm>

#include <aprotic/codec/dump.hpp>

namespace aprotic::conform {
namespace {

const codec::ErrorCondition* error_in(const Heard& heard, codec::Performative& holder) {
    const auto take = [&](auto performative) -> const codec::ErrorCondition* {
        if (!performative || !performative->error) return nullptr;
        auto& kept = holder.emplace<std::remove_cvref_t<decltype(*performative)>>(std::move(*performative));
        return &*kept.error;
    };
    if (heard.is(codec::descriptor::close)) return take(heard.as<codec::Close>());
    if (heard.is(codec::descriptor::end)) return take(heard.as<codec::End>());
    if (heard.is(codec::descriptor::detach)) return take(heard.as<codec::Detach>());
    return nullptr;
}

Reaction with_error(std::string_view verb, std::uint64_t code, Conditions conditions) {
    std::string name = std::string(verb) + " with ";
    if (conditions.size() == 0) name += "an error";
    for (const auto condition : conditions) {
        if (condition != *conditions.begin()) name += " or ";
        name += condition;
    }
    const std::vector<std::string> wanted(conditions.begin(), conditions.end());
    return {name, [code, wanted](const Heard& heard) {
                if (!heard.is(code)) return false;
                const std::string got = heard.condition();
                return wanted.empty() ? !got.empty() : std::ranges::count(wanted, got) != 0;
            }};
}

}  // namespace

std::string Heard::text() const {
    switch (kind) {
        case Kind::nothing: return "nothing";
        case Kind::end: return problem.empty() ? "the end of the stream" : "the end of the stream: " + problem;
        case Kind::header:
            return "protocol header AMQP " + std::to_string(header.id) + " " + std::to_string(header.major) + "." +
                   std::to_string(header.minor) + "." + std::to_string(header.revision);
        case Kind::frame: return view.empty() ? "an empty frame" : codec::to_string(view);
        case Kind::bad: break;
    }
    return problem;
}

std::string Heard::condition() const {
    codec::Performative holder;
    const auto* error = error_in(*this, holder);
    return error == nullptr ? std::string() : error->condition.str();
}

Reaction closes(Conditions conditions) {
    return with_error("closes the connection", codec::descriptor::close, conditions);
}
Reaction ends(Conditions conditions) { return with_error("ends the session", codec::descriptor::end, conditions); }
Reaction detaches(Conditions conditions) {
    return with_error("detaches the link", codec::descriptor::detach, conditions);
}

Reaction drops() {
    return {"ends the stream without a close", [](const Heard& heard) { return heard.kind == Heard::Kind::end; },
            Grade::lenient};
}

Reaction ends_stream() {
    Reaction reaction = drops();
    reaction.grade = Grade::strict;
    return reaction;
}

Reaction ignores() { return {"goes on as if nothing had been", {}, Grade::strict}; }

Reaction answers_header(codec::ProtocolHeader header) {
    Heard shown;
    shown.kind = Heard::Kind::header;
    shown.header = header;
    return {"sends " + shown.text(),
            [header](const Heard& heard) { return heard.kind == Heard::Kind::header && heard.header == header; }};
}

Reaction closes_in_order() {
    return {"closes the connection without an error", [](const Heard& heard) {
                const auto close = heard.as<codec::Close>();
                return close && !close->error;
            }};
}

Reactions operator+(Reactions a, const Reactions& b) {
    a.insert(a.end(), b.begin(), b.end());
    return a;
}

Reactions refuses_malformed() {
    using namespace codec::condition;
    return {closes({decode_error, invalid_field, framing_error}),
            ends({decode_error, invalid_field}),
            detaches({decode_error, invalid_field}),
            closes().lenient(),
            ends().lenient(),
            detaches().lenient(),
            drops()};
}

Reactions refuses_framing() { return {closes({codec::condition::framing_error}), closes().lenient(), drops()}; }

Reactions refuses_announced() {
    const Reaction waits = {"waits for the rest of the frame",
                            [](const Heard& heard) { return heard.kind == Heard::Kind::nothing; }, Grade::lenient};
    return refuses_framing() + Reactions{waits};
}

Reactions refuses() { return {closes(), ends(), detaches(), drops()}; }

void Outcome::took(const Reaction& reaction) { took(reaction.name, reaction.grade); }

void Outcome::took(std::string way, Grade with) {
    grade = std::max(grade, with);
    if (std::ranges::count(ways, way) == 0) ways.push_back(std::move(way));
}

}  // namespace aprotic::conform
