#include "fuzzer/mutate.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include <aprotic/codec/described.hpp>
#include <aprotic/codec/dump.hpp>
#include <aprotic/codec/frame.hpp>

#include "fuzzer/fields.hpp"

namespace aprotic::fuzzer {
namespace {

using codec::Value;

/// One change of one script.
class Change {
public:
    Change(Script& script, const std::vector<Conversation>& stock, Prng& chance)
        : script_(script), stock_(stock), chance_(chance) {}

    /// Tells what it did; empty: this one did not fit.
    std::string make() {
        if (script_.steps.empty()) return insert_foreign();
        switch (chance_.below(24)) {
            case 0: return drop();
            case 1: return repeat();
            case 2: return swap();
            case 3: return insert_foreign();
            case 4: return frame_header();
            case 5: return cut();
            case 6: return octets();
            case 7: return junk();
            case 8: return split();
            case 9: return hurry();
            case 10:
            case 11: return performative();
            case 12:
            case 13: return payload();
            default: return field();
        }
    }

private:
    std::size_t any_step() { return chance_.below(script_.steps.size()); }
    static std::string at(std::size_t step) { return "step " + std::to_string(step + 1) + ": "; }
    Step& step(std::size_t number) { return script_.steps[number]; }

    std::string drop() {
        const std::size_t number = any_step();
        script_.steps.erase(script_.steps.begin() + static_cast<std::ptrdiff_t>(number));
        return at(number) + "left out";
    }
    std::string repeat() {
        const std::size_t number = any_step();
        const Step copy = step(number);
        const std::uint64_t times = chance_.one_in(10) ? 200 : 1 + chance_.below(3);
        Step silent = copy;
        silent.awaits.clear();
        script_.steps.insert(script_.steps.begin() + static_cast<std::ptrdiff_t>(number), times, silent);
        return at(number) + "said " + std::to_string(times + 1) + " times";
    }
    std::string swap() {
        const std::size_t a = any_step();
        const std::size_t b = any_step();
        if (a == b) return {};
        std::swap(step(a), step(b));
        return at(a) + "changes places with step " + std::to_string(b + 1);
    }
    std::string insert_foreign() {
        const auto& other = stock_[chance_.below(stock_.size())];
        if (other.script.steps.empty()) return {};
        const std::size_t from = chance_.below(other.script.steps.size());
        const std::size_t count = std::min(1 + chance_.below(3), other.script.steps.size() - from);
        const std::size_t number = chance_.below(script_.steps.size() + 1);
        const auto first = other.script.steps.begin() + static_cast<std::ptrdiff_t>(from);
        script_.steps.insert(script_.steps.begin() + static_cast<std::ptrdiff_t>(number), first,
                             first + static_cast<std::ptrdiff_t>(count));
        return at(number) + std::to_string(count) + " of '" + other.name + "' put in";
    }

    std::string frame_header() {
        const std::size_t number = any_step();
        std::string& octets = step(number).octets;
        if (octets.size() < codec::FrameHeader::size_min) return {};
        if (chance_.one_in(3)) {
            const std::uint64_t channel = chance_.one_in(2) ? chance_.below(8) : chance_.below(65536);
            octets[6] = static_cast<char>(channel >> 8U);
            octets[7] = static_cast<char>(channel);
            return at(number) + "on channel " + std::to_string(channel);
        }
        if (chance_.one_in(3)) {
            const std::size_t place = 4 + chance_.below(2);
            octets[place] = static_cast<char>(chance_.one_in(2) ? chance_.below(6) : chance_.below(256));
            return at(number) + (place == 4 ? "DOFF " : "type ") +
                   std::to_string(static_cast<unsigned char>(octets[place]));
        }
        constexpr std::array<std::uint32_t, 10> sizes{0, 1, 7, 8, 9, 511, 0xffff, 0x7fff'ffff, 0x8000'0000, UINT32_MAX};
        const auto near = static_cast<std::uint32_t>(octets.size() + chance_.below(9) - 4);
        const std::uint32_t size = chance_.one_in(2) ? near : sizes[chance_.below(sizes.size())];
        for (unsigned i = 0; i < 4; ++i) octets[i] = static_cast<char>(size >> (24U - 8U * i));
        return at(number) + "announces " + std::to_string(size) + " octets";
    }

    std::string cut() {
        const std::size_t number = any_step();
        if (chance_.one_in(2)) {
            script_.steps.resize(number + 1);
            return at(number) + "is the last";
        }
        std::string& octets = step(number).octets;
        octets.resize(chance_.below(octets.size() + 1));
        step(number).splits.clear();
        return at(number) + "cut to " + std::to_string(octets.size()) + " octets";
    }

    /// Octets of the body, the frame's size as it was or made right.
    std::string octets() {
        const std::size_t number = any_step();
        std::string& octets = step(number).octets;
        if (octets.empty()) return {};
        constexpr std::array<unsigned char, 18> codes{0x00, 0x01, 0x40, 0x41, 0x43, 0x45, 0x53, 0x56, 0x70,
                                                      0x7f, 0x80, 0xa0, 0xb0, 0xc0, 0xd0, 0xd1, 0xf0, 0xff};
        std::string said;
        for (std::uint64_t times = 1 + chance_.below(3); times > 0 && !octets.empty(); --times) {
            const std::size_t place = chance_.below(octets.size());
            const char octet = chance_.one_in(3) ? static_cast<char>(octets[place] ^ (1 << chance_.below(8)))
                                                 : static_cast<char>(codes[chance_.below(codes.size())]);
            switch (chance_.below(4)) {
                case 0:
                    octets.insert(place, 1, octet);
                    said += " +";
                    break;
                case 1:
                    octets.erase(place, 1);
                    said += " -";
                    break;
                default:
                    octets[place] = octet;
                    said += " ";
                    break;
            }
            said += std::to_string(place);
        }
        const bool right = octets.size() >= 8 && !octets.starts_with("AMQP") && !chance_.one_in(3);
        if (right)
            for (unsigned i = 0; i < 4; ++i) octets[i] = static_cast<char>(octets.size() >> (24U - 8U * i));
        step(number).splits.clear();
        return at(number) + "octets changed at" + said + (right ? ", size made right" : "");
    }

    std::string junk() {
        const std::size_t number = chance_.below(script_.steps.size() + 1);
        Step foreign;
        std::string what = "an empty frame";
        if (chance_.one_in(2)) {
            foreign.octets = frame_around({}, 0, static_cast<std::uint16_t>(chance_.below(3)));
        } else if (chance_.one_in(2)) {
            foreign.octets = std::string(1 + chance_.below(40), '\0');
            for (char& c : foreign.octets) c = static_cast<char>(chance_.octet());
            what = std::to_string(foreign.octets.size()) + " octets of nothing";
        } else {
            constexpr std::array<std::uint8_t, 4> ids{0, 1, 2, 3};
            codec::ProtocolHeader header(ids[chance_.below(4)], static_cast<std::uint8_t>(chance_.one_in(4) ? 2 : 1),
                                         static_cast<std::uint8_t>(chance_.one_in(4)), 0);
            foreign.octets = std::string(codec::as_text(header.serialise()));
            what = "a protocol header";
        }
        script_.steps.insert(script_.steps.begin() + static_cast<std::ptrdiff_t>(number), foreign);
        return at(number) + what + " put in";
    }

    std::string split() {
        std::size_t cuts = 0;
        for (auto& one : script_.steps) {
            if (one.octets.size() < 2 || chance_.one_in(2)) continue;
            one.splits.clear();
            const std::uint64_t pieces = chance_.one_in(4) ? 20 : 2;
            for (std::uint64_t i = 1; i < pieces; ++i) one.splits.push_back(1 + chance_.below(one.octets.size() - 1));
            std::ranges::sort(one.splits);
            one.splits.erase(std::unique(one.splits.begin(), one.splits.end()), one.splits.end());
            cuts += one.splits.size();
        }
        return "writes cut at " + std::to_string(cuts) + " places";
    }

    /// Says everything without waiting for anything, as far as two steps in one write.
    std::string hurry() {
        for (auto& one : script_.steps) one.awaits.clear();
        if (!chance_.one_in(2)) return "waits for nothing";
        Step all;
        for (const auto& one : script_.steps) all.octets += one.octets;
        script_.steps = {std::move(all)};
        return "all in one write";
    }

    /// A random step that is a frame, taken apart.
    std::optional<std::pair<std::size_t, FrameParts>> any_frame() {
        for (int tries = 0; tries < 8; ++tries) {
            const std::size_t number = any_step();
            if (auto parts = take_apart(step(number).octets)) return std::pair(number, std::move(*parts));
        }
        return std::nullopt;
    }
    std::string put_back(std::size_t number, const FrameParts& parts, const std::string& said) {
        step(number).octets = put_together(parts);
        step(number).splits.clear();
        return at(number) + said;
    }

    std::string performative() {
        auto found = any_frame();
        if (!found) return {};
        auto& [number, parts] = *found;
        auto& described = parts.performative.as<codec::Described>();
        auto* list = described.value().get_if<codec::List>();
        switch (chance_.below(7)) {
            case 0: {
                const std::uint64_t code = codec::descriptor::open + chance_.below(10);
                parts.performative = codec::Described(code, std::move(described.value()));
                return put_back(number, parts, "called " + std::string(codec::descriptor_name(code)));
            }
            case 1: {
                Value descriptor = any_value(chance_);
                if (chance_.one_in(2)) descriptor = codec::Symbol(codec::descriptor_symbol(parts.code()));
                const std::string said = "descriptor " + to_string(descriptor).substr(0, 40);
                parts.performative = codec::Described(std::move(descriptor), std::move(described.value()));
                return put_back(number, parts, said);
            }
            case 2:
                if (list == nullptr || list->empty()) return {};
                list->resize(chance_.below(list->size()));
                return put_back(number, parts, "fields from " + std::to_string(list->size() + 1) + " on left out");
            case 3:
                if (list == nullptr) return {};
                for (std::uint64_t more = 1 + chance_.below(20); more > 0; --more) list->push_back(any_value(chance_));
                return put_back(number, parts, std::to_string(list->size()) + " fields");
            case 4:
                described.value() = any_value(chance_);
                return put_back(number, parts, "body " + to_string(described.value()).substr(0, 40));
            case 5:
                parts.extended = std::string(4 * (1 + chance_.below(3)), '\1');
                parts.doff = static_cast<std::uint8_t>(2 + parts.extended.size() / 4);
                return put_back(number, parts, "extended header");
            default:
                parts.type = parts.type == 0 ? 1 : 0;
                return put_back(number, parts, "in a frame of the other type");
        }
    }

    std::string payload() {
        std::vector<std::size_t> transfers;
        for (std::size_t i = 0; i < script_.steps.size(); ++i) {
            const auto parts = take_apart(script_.steps[i].octets);
            if (parts && parts->code() == codec::descriptor::transfer) transfers.push_back(i);
        }
        if (transfers.empty()) return {};
        const std::size_t number = transfers[chance_.below(transfers.size())];
        auto parts = *take_apart(step(number).octets);
        std::vector<Value> sections;
        codec::Decoder from(codec::as_bytes(parts.payload));
        while (from.ok() && !from.at_end()) {
            Value section;
            if (decode(from, section)) sections.push_back(std::move(section));
        }
        std::string said = change_sections(sections);
        codec::Encoder to;
        for (const auto& section : sections) encode(to, section);
        parts.payload = std::string(codec::as_text(to.written()));
        return put_back(number, parts, "payload: " + said);
    }
    std::string change_sections(std::vector<Value>& sections) {
        if (sections.empty() || chance_.one_in(6)) {
            sections.push_back(any_value(chance_));
            return "a section more";
        }
        const std::size_t which = chance_.below(sections.size());
        switch (chance_.below(6)) {
            case 0: sections.erase(sections.begin() + static_cast<std::ptrdiff_t>(which)); return "a section less";
            case 1: sections.push_back(sections[which]); return "a section twice";
            case 2: std::swap(sections[which], sections.front()); return "sections in another order";
            case 3: sections[which] = any_value(chance_); return "a section that is none";
            default:
                if (auto* described = sections[which].get_if<codec::Described>())
                    return mutate_fields(chance_, *described);
                sections[which] = any_value(chance_);
                return "a value";
        }
    }

    std::string field() {
        auto found = any_frame();
        if (!found) return {};
        auto& [number, parts] = *found;
        return put_back(number, parts, mutate_fields(chance_, parts.performative.as<codec::Described>()));
    }

    Script& script_;
    const std::vector<Conversation>& stock_;
    Prng& chance_;
};

}  // namespace

Script Mutator::script(std::uint64_t number) const {
    // Mixed twice: neighbouring numbers would else have the same chances, one step apart.
    Prng chance(Prng(seed_).next() ^ Prng(~number).next());
    const auto& base = stock_[chance.below(stock_.size())];
    Script script = base.script;
    script.notes = {"seed " + std::to_string(seed_) + ", number " + std::to_string(number) + ", from '" + base.name +
                    "'"};
    const std::uint64_t changes = 1 + chance.below(3);
    for (std::uint64_t made = 0, tries = 0; made < changes && tries < 20; ++tries) {
        const std::string said = Change(script, stock_, chance).make();
        if (said.empty()) continue;
        script.notes.push_back(said);
        ++made;
    }
    for (auto& note : script.notes) std::replace(note.begin(), note.end(), '\n', ' ');
    return script;
}

}  // namespace aprotic::fuzzer
