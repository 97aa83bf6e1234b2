#include <functional>

#include "conform/context.hpp"
#include "conform/suite.hpp"
#include "conform/wire.hpp"

/// One case for each field of each performative, from the codec's tables: null and left out where it is mandatory, and
/// of another type.
namespace aprotic::conform {
namespace {

using wire::Field;
using wire::hex;

/// How a performative is brought to the place where it is due.
struct Stage {
    std::string performative;
    std::string clause;  ///< that names its mandatory fields
    std::uint64_t code = 0;
    std::vector<Field> fields;
    std::function<Line&(Context&)> reach;
    Reactions besides{};  ///< what a peer does that takes no notice
    std::vector<std::string> needs{};
};

template <class Builder>
Stage stage(std::string clause, const Builder& frame, std::function<Line&(Context&)> reach) {
    using T = std::remove_cvref_t<decltype(frame.performative)>;
    return {std::string(codec::Table<T>::name), std::move(clause), codec::Table<T>::code,
            wire::fields_of(frame.performative), std::move(reach)};
}

std::vector<Stage> stages() {
    const auto opened = [](Context& t) -> Line& {
        Line& line = t.opened();
        line.claim(0);
        return line;
    };
    const auto mapped = [](Context& t) -> Line& { return t.mapped(); };
    const auto sending = [](Context& t) -> Line& { return t.sending(t.queue()); };
    const auto before_open = [](Context& t) -> Line& {
        Line& line = t.authenticated();
        line.header();
        line.expect_header();
        return line;
    };
    std::vector<Stage> all = {
        stage("2.7.1-a", peer::open().container_id("conform"), before_open),
        stage("2.7.2-a", peer::begin(), opened),
        stage("2.7.3-a", peer::attach(codec::Role::sender, 0), mapped),
        stage("2.7.4-b", peer::flow(), mapped),
        stage("1.3-c", peer::transfer(0).delivery_id(0).delivery_tag("t").message_format(0).payload("x"), sending),
        stage("2.7.6-a", peer::disposition(codec::Role::sender, 0), mapped),
        stage("2.7.7-a", peer::detach(0), sending),
        stage("2.7.7-b", peer::end(), mapped),
        stage("2.7.7-b", peer::close(), [](Context& t) -> Line& { return t.opened(); }),
    };
    for (auto& one : all) {
        const bool on_link = one.performative == "transfer" || one.performative == "detach";
        if (on_link) one.needs = {"queue"};
        if (one.performative == "detach") one.besides = {answers<codec::Detach>("answers it").lenient()};
        if (one.performative == "end") one.besides = {answers<codec::End>("answers it").lenient()};
        if (one.performative == "close") one.besides = {answers<codec::Close>("answers it").lenient()};
    }
    return all;
}

/// An encoded value that no field of this type takes.
std::string wrong_value(const Field& field) {
    if (field.type == "string" || field.type == "symbol" || field.type == "binary") return hex("70 00000001");
    const bool is_composite = field.type == "*" || field.type == "source" || field.type == "error";
    if (!is_composite) return hex("a1 01 78");
    // A described type that nothing of the kind may be: a source where a state is due, a state elsewhere.
    return field.name == "state" ? hex("00 53 28 45") : hex("00 53 24 45");
}

std::string wrong_value_in_words(const Field& field) {
    if (field.type == "string" || field.type == "symbol" || field.type == "binary") return "a uint";
    const bool is_composite = field.type == "*" || field.type == "source" || field.type == "error";
    if (!is_composite) return "a string";
    return field.name == "state" ? "a source" : "the outcome accepted";
}

Case malformed(const Stage& stage, std::string id, std::string rule, std::string sends, const std::string& body) {
    const bool is_open = stage.performative == "open";
    return {.id = std::move(id),
            .rule = std::move(rule),
            .sends = std::move(sends),
            .accepts =
                "close, end or detach with decode-error, framing-error or invalid-field; other errors, the end of "
                "the stream alone and taking no notice are not strict",
            .negative = true,
            .needs = stage.needs,
            .run = [reach = stage.reach, besides = stage.besides, body, is_open](Context& t) {
                Line& line = reach(t);
                const std::string octets = wire::frame(body);
                is_open ? line.raw_open(octets) : line.raw(octets);
                line.accept_one_of(refuses_malformed() + besides + Reactions{ignores().lenient()});
            }};
}

}  // namespace

Cases type_notation() {
    Cases cases;
    for (const auto& stage : stages()) {
        for (std::size_t i = 0; i < stage.fields.size(); ++i) {
            const Field& field = stage.fields[i];
            const std::string name = stage.performative + "-" + field.name;
            const auto with = [&](const std::string& octets) {
                auto fields = stage.fields;
                fields[i].octets = octets;
                return wire::composite(stage.code, fields);
            };
            if (field.mandatory) {
                Case null = malformed(stage, "1.3-c/" + name + "-null", "A mandatory field is not null.",
                                      stage.performative + " whose " + field.name + " is null", with(hex("40")));
                const std::vector<Field> before(stage.fields.begin(),
                                                stage.fields.begin() + static_cast<std::ptrdiff_t>(i));
                Case cut = malformed(stage, "1.3-c/" + name + "-left-out", "A mandatory field is not left out.",
                                     stage.performative + " that ends before its " + field.name,
                                     wire::composite(stage.code, before));
                if (stage.clause != "1.3-c") null.clauses = cut.clauses = {stage.clause};
                cases.push_back(std::move(null));
                cases.push_back(std::move(cut));
            }
            cases.push_back(malformed(stage, "1.3-a/" + name, "A field's value is of the field's type.",
                                      stage.performative + " with " + wrong_value_in_words(field) + " as " + field.name,
                                      with(wrong_value(field))));
        }
    }
    return cases;
}

}  // namespace aprotic::conform
