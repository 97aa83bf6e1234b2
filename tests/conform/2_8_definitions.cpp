#include <algorithm>
#include <array>

#include "conform/context.hpp"
#include "conform/suite.hpp"
#include "conform/wire.hpp"

namespace aprotic::conform {
namespace {

using namespace codec::condition;

/// Every condition that the specification names.
constexpr std::array listed = {internal_error,
                               not_found,
                               unauthorized_access,
                               decode_error,
                               resource_limit_exceeded,
                               not_allowed,
                               invalid_field,
                               not_implemented,
                               resource_locked,
                               precondition_failed,
                               resource_deleted,
                               illegal_state,
                               frame_size_too_small,
                               connection_forced,
                               framing_error,
                               connection_redirect,
                               window_violation,
                               errant_link,
                               handle_in_use,
                               unattached_handle,
                               detach_forced,
                               transfer_limit_exceeded,
                               message_size_exceeded,
                               link_redirect,
                               stolen,
                               unknown_transaction,
                               transaction_rollback,
                               transaction_timeout};

/// Something that a peer answers with an error.
struct Provocation {
    std::string name;
    std::string what;
    std::function<Line&(Context&)> provoke;
};

std::vector<Provocation> provocations() {
    return {{"framing", "a frame of SIZE 4",
             [](Context& t) -> Line& {
                 Line& line = t.opened();
                 line.may_probe = false;
                 line.raw(wire::hex("00000004 02 00 0000"));
                 return line;
             }},
            {"decoding", "a begin that is a described map",
             [](Context& t) -> Line& {
                 Line& line = t.opened();
                 line.raw(wire::frame(wire::hex("00 53 11 c1 01 00")));
                 return line;
             }},
            {"second-open", "a second open",
             [](Context& t) -> Line& {
                 Line& line = t.opened();
                 line.send(t.open());
                 return line;
             }},
            {"unattached-handle", "flow for a handle that no link has", [](Context& t) -> Line& {
                 Line& line = t.mapped();
                 line.send(peer::flow().handle(77).link_credit(1));
                 return line;
             }}};
}

/// What the peer says when it is provoked: the error of its close or end.
codec::ErrorCondition error_of(Context& t, const Provocation& provocation) {
    Line& line = provocation.provoke(t);
    const auto orderly = answers<codec::Close>("").recorded();
    const Heard heard = line.accept_one_of({closes(), ends(), orderly, drops(), ignores()});
    t.outcome = {};
    if (const auto close = heard.as<codec::Close>(); close && close->error) return *close->error;
    if (const auto end = heard.as<codec::End>(); end && end->error) return *end->error;
    t.skip("the peer does not answer this with an error");
}

/// A map with a key of another type in a field whose keys are symbols.
Case odd_key(const std::string& name, const std::string& what, const std::string& map) {
    return {.id = "2.8.7-c/" + name,
            .rule = "The keys of a fields map are symbols.",
            .sends = "begin with properties whose key is " + what,
            .accepts = "close or end with decode-error or invalid-field; taking no notice of it is not strict",
            .negative = true,
            .run = [map](Context& t) {
                Line& line = t.opened();
                line.claim(0);
                line.raw(wire::frame(wire::described(
                    codec::descriptor::begin,
                    wire::list({wire::hex("40"), wire::hex("43"), wire::hex("52 64"), wire::hex("52 64"),
                                wire::hex("40"), wire::hex("40"), wire::hex("40"), wire::hex(map)}))));
                line.accept_one_of(refuses_malformed() + Reactions{ignores().lenient()});
            }};
}

}  // namespace

Cases definitions() {
    Cases cases = {odd_key("string-key", "a string", "c1 06 02 a1 01 6b 52 01"),
                   odd_key("null-key", "null", "c1 04 02 40 52 01"),
                   odd_key("uint-key", "a uint", "c1 05 02 52 07 52 01")};
    for (const auto& provocation : provocations()) {
        cases.push_back({.id = "2.8.14-b/" + provocation.name,
                         .rule = "An error's condition is one of the specification's, or of a domain of its own.",
                         .sends = provocation.what,
                         .accepts = "an error whose condition is listed, or does not begin with amqp:",
                         .negative = true,
                         .clauses = {"2.8.14-a"},
                         .run = [provocation](Context& t) {
                             const std::string condition = error_of(t, provocation).condition.str();
                             const bool known = std::ranges::count(listed, condition) != 0;
                             t.require(known || !condition.starts_with("amqp:"),
                                       "a listed condition, or one of another domain", condition);
                             t.note(condition);
                         }});
        cases.push_back({.id = "2.7.7-c/" + provocation.name,
                         .level = Level::should,
                         .rule = "An error has a description for people.",
                         .sends = provocation.what,
                         .accepts = "an error with a description",
                         .negative = true,
                         .run = [provocation](Context& t) {
                             const auto error = error_of(t, provocation);
                             t.require(!error.description.value_or("").empty(), "an error with a description",
                                       codec::to_string(error));
                         }});
    }
    return cases;
}

}  // namespace aprotic::conform
