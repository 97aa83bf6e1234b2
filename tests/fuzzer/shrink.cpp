#include "fuzzer/shrink.hpp"

#include <algorithm>

#include <aprotic/codec/frame.hpp>

namespace aprotic::fuzzer {
namespace {

using codec::Value;

class Shrinker {
public:
    Shrinker(Script script, const StillFinds& finds, unsigned trials)
        : best_(std::move(script)), finds_(finds), left_(trials) {}

    Script run() {
        drop_steps();
        simplify_steps();
        drop_steps();
        return best_;
    }

private:
    /// Keeps `candidate` if it finds what was found.
    bool keep(const Script& candidate) {
        if (left_ == 0 || candidate == best_) return false;
        --left_;
        if (!finds_(candidate)) return false;
        best_ = candidate;
        return true;
    }

    void drop_steps() {
        for (std::size_t count = best_.steps.size() / 2; count > 0; count /= 2) {
            // From the end: what comes behind the fault does not matter.
            for (std::size_t end = best_.steps.size(); end > 0;) {
                const std::size_t begin = end > count ? end - count : 0;
                Script candidate = best_;
                candidate.steps.erase(candidate.steps.begin() + static_cast<std::ptrdiff_t>(begin),
                                      candidate.steps.begin() + static_cast<std::ptrdiff_t>(end));
                if (!candidate.steps.empty()) keep(candidate);
                end = begin;
            }
        }
    }

    void simplify_steps() {
        for (std::size_t number = 0; number < best_.steps.size(); ++number) {
            with(number, [](Step& step) { step.splits.clear(); });
            with(number, [](Step& step) { step.awaits.clear(); });
            if (take_apart(best_.steps[number].octets)) {
                simplify_frame(number);
            } else {
                cut_octets(number);
            }
        }
    }

    template <class Edit>
    bool with(std::size_t number, Edit edit) {
        Script candidate = best_;
        edit(candidate.steps[number]);
        return keep(candidate);
    }

    template <class Edit>
    bool with_parts(std::size_t number, Edit edit) {
        return with(number, [&](Step& step) {
            auto parts = take_apart(step.octets);
            if (!parts) return;
            edit(*parts);
            step.octets = put_together(*parts);
            step.splits.clear();
        });
    }

    void simplify_frame(std::size_t number) {
        with_parts(number, [](FrameParts& parts) { parts.payload.clear(); });
        with_parts(number, [](FrameParts& parts) {
            parts.doff = 2;
            parts.extended.clear();
        });
        std::vector<std::size_t> path;
        simplify_value(number, path, 0);
    }

    /// The value at `path` in the step's performative: list items by number, a described value counts as itself.
    static Value* at(Value& root, const std::vector<std::size_t>& path) {
        Value* value = &root;
        for (const std::size_t index : path) {
            while (auto* described = value->get_if<codec::Described>()) value = &described->value();
            auto* list = value->get_if<codec::List>();
            if (list == nullptr || index >= list->size()) return nullptr;
            value = &(*list)[index];
        }
        return value;
    }

    void simplify_value(std::size_t number, std::vector<std::size_t>& path, unsigned depth) {
        const auto edit = [&](auto change) {
            return with_parts(number, [&](FrameParts& parts) {
                if (Value* value = at(parts.performative, path)) change(*value);
            });
        };
        auto parts = take_apart(best_.steps[number].octets);
        Value* value = parts ? at(parts->performative, path) : nullptr;
        if (value == nullptr || value->is_null()) return;
        if (!path.empty() && edit([](Value& v) { v = Value(); })) return;
        constexpr std::size_t short_enough = 4;
        if (const auto text = value->to_text(); text && text->size() > short_enough) {
            edit([](Value& v) {
                const std::string start(v.to_text()->substr(0, 1));
                v = v.is<codec::Symbol>() ? Value(codec::Symbol(start)) : Value(start);
            });
            return;
        }
        while (auto* described = value->get_if<codec::Described>()) value = &described->value();
        const auto* list = value->get_if<codec::List>();
        constexpr unsigned deep_enough = 8;
        if (list == nullptr || depth > deep_enough) return;
        for (std::size_t index = list->size(); index-- > 0;) {
            path.push_back(index);
            simplify_value(number, path, depth + 1);
            path.pop_back();
        }
        // Nulls at the end say nothing.
        edit([](Value& v) {
            Value* inner = &v;
            while (auto* described = inner->get_if<codec::Described>()) inner = &described->value();
            auto* items = inner->get_if<codec::List>();
            while (items != nullptr && !items->empty() && items->back().is_null()) items->pop_back();
        });
    }

    /// What is no frame: without its end, as far as that goes, and then without pieces.
    void cut_octets(std::size_t number) {
        for (std::size_t count = best_.steps[number].octets.size() / 2; count > 0; count /= 2) {
            for (std::size_t end = best_.steps[number].octets.size(); end > 0;) {
                const std::size_t begin = end > count ? end - count : 0;
                if (end - begin < best_.steps[number].octets.size())
                    with(number, [&](Step& step) {
                        step.octets.erase(begin, end - begin);
                        step.splits.clear();
                    });
                end = begin;
            }
        }
    }

    Script best_;
    const StillFinds& finds_;
    unsigned left_;
};

}  // namespace

Script shrink(Script script, const StillFinds& finds, unsigned trials) {
    return Shrinker(std::move(script), finds, trials).run();
}

}  // namespace aprotic::fuzzer
