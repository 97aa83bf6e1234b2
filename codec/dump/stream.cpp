#include <aprotic/codec/described.hpp>
#include <aprotic/codec/dump.hpp>
#include <aprotic/codec/dump/walk.hpp>
#include <aprotic/codec/wire.hpp>

#include <algorithm>
#include <map>
#include <utility>
#include <vector>

namespace aprotic::codec {

namespace {

constexpr std::uint32_t any_frame_size = 0xffff'ffff;

/// Whether a frame seems to start here: 8 octets of header, and a descriptor in the only encodings that anybody uses.
bool looks_like_frame(std::span<const std::byte> input) noexcept {
    constexpr std::uint32_t likely_size_max = 1U << 24U;
    constexpr std::size_t descriptor_size = 3;
    if (input.size() < FrameHeader::size_min) return false;
    const auto octet = [&](std::size_t i) { return std::to_integer<std::uint8_t>(input[i]); };
    const std::uint32_t size = load_be<std::uint32_t>(input.data());
    if (size < FrameHeader::size_min || size > likely_size_max || octet(4) != 2 || octet(5) > 1) return false;
    if (size == FrameHeader::size_min) return true;
    if (input.size() < FrameHeader::size_min + descriptor_size || octet(8) != code::described) return false;
    if (octet(9) == code::sym8) return octet(10) > 0;
    if (octet(9) == code::ulong) return octet(10) == 0;
    return octet(9) == code::smallulong && octet(10) >= descriptor::open && octet(10) <= descriptor::sasl_outcome;
}

bool starts_section(std::span<const std::byte> input) noexcept {
    Decoder from(input);
    const Descriptor found = from.read_descriptor();
    const std::uint64_t code = from.ok() ? found.resolve().value_or(0) : 0;
    return code >= descriptor::header && code <= descriptor::footer;
}

/// Payloads that are in more than one frame, put together while a stream is read. [2.6.14]
struct Delivery {
    ByteChain octets;
    std::uint32_t message_format = 0;
};
using Deliveries = std::map<std::pair<std::uint16_t, std::uint32_t>, Delivery>;

}  // namespace

DumpAs guess_dump(std::span<const std::byte> input) noexcept {
    const Result<ProtocolHeader> header = ProtocolHeader::parse(input);
    if (input.empty() || header || looks_like_frame(input)) return DumpAs::frames;
    if (header.error() == Errc::incomplete && input.size() > 1) return DumpAs::frames;
    return starts_section(input) ? DumpAs::message : DumpAs::value;
}

class StreamDumper::Impl {
public:
    explicit Impl(const DumpOptions& options) : options_(options), to_(make_report(options)) {}

    std::string feed(std::span<const std::byte> octets) {
        if (state_ == State::ended) return {};
        // Only the rest of a frame is kept, so that a whole capture in one piece is read where it lies.
        if (!kept_.empty()) kept_.insert(kept_.end(), octets.begin(), octets.end());
        const std::span<const std::byte> input = kept_.empty() ? octets : std::span<const std::byte>(kept_);
        std::size_t used = 0;
        while (used < input.size() && state_ != State::ended) {
            const std::size_t more =
                state_ == State::searching ? search(input.subspan(used)) : step(input.subspan(used));
            if (more == 0) break;
            used += more;
            at_ += more;
        }
        if (state_ == State::ended) {
            kept_.clear();
        } else if (kept_.empty()) {
            kept_.assign(input.begin() + static_cast<std::ptrdiff_t>(used), input.end());
        } else {
            kept_.erase(kept_.begin(), kept_.begin() + static_cast<std::ptrdiff_t>(used));
        }
        return to_->take();
    }

    std::string skip(std::uint64_t octets) {
        if (state_ == State::ended) return {};
        left_over();
        if (octets != 0) {
            ok_ = false;
            to_->missing(at_, octets);
        }
        at_ += octets;
        deliveries_.clear();
        state_ = State::searching;
        return to_->take();
    }

    std::string finish() {
        if (state_ != State::ended) left_over();
        state_ = State::ended;
        return to_->take();
    }

    bool ok() const noexcept { return ok_; }
    std::size_t frames() const noexcept { return frames_; }

private:
    enum class State : std::uint8_t { framed, searching, ended };

    /// Each step tells how many octets are dealt with; 0: more are needed.
    std::size_t step(std::span<const std::byte> rest) {
        const Result<ProtocolHeader> header = ProtocolHeader::parse(rest);
        if (header.error() == Errc::incomplete) return 0;
        if (header) {
            to_->header(at_, *header);
            return ProtocolHeader::size;
        }
        const FrameParser::Step found = FrameParser(any_frame_size).next(rest);
        if (found.status == FrameParser::Status::need_more) return 0;
        if (found.status == FrameParser::Status::error) return broken(found);
        frame(found.frame);
        return found.size;
    }

    std::size_t search(std::span<const std::byte> rest) {
        constexpr std::size_t seen_min = 11;  // what it takes to recognise a frame
        std::size_t skipped = 0;
        while (skipped < rest.size() && !looks_like_frame(rest.subspan(skipped)) &&
               !ProtocolHeader::parse(rest.subspan(skipped))) {
            if (rest.size() - skipped < seen_min) break;
            ++skipped;
        }
        const bool found = looks_like_frame(rest.subspan(skipped)) || ProtocolHeader::parse(rest.subspan(skipped));
        searched_ += skipped;
        if (!found) return skipped;
        told_of_search(at_ + skipped);
        state_ = State::framed;
        return skipped != 0 ? skipped : step(rest);
    }

    void told_of_search(std::uint64_t until) {
        if (searched_ == 0) return;
        ok_ = false;
        to_->skipped(until - searched_, searched_);
        searched_ = 0;
    }

    /// What cannot be dealt with since it is not all there.
    void left_over() {
        const std::span<const std::byte> rest(kept_);
        if (state_ == State::searching) {
            searched_ += rest.size();
            told_of_search(at_ + rest.size());
        } else if (!rest.empty()) {
            ok_ = false;
            if (ProtocolHeader::parse(rest).error() == Errc::incomplete) {
                to_->incomplete(at_, "protocol header", rest.size(), ProtocolHeader::size);
            } else {
                to_->incomplete(at_, "frame", rest.size(), FrameParser(any_frame_size).next(rest).size);
            }
        }
        at_ += rest.size();
        kept_.clear();
    }

    std::uint64_t offset_of(const FrameView& frame, std::span<const std::byte> part) const {
        return at_ + static_cast<std::uint64_t>(part.data() - frame.frame.data());
    }

    std::size_t broken(const FrameParser::Step& found) {
        ok_ = false;
        bool told = false;
        if (found.size != 0) {
            // The header was right. The parser judged the whole body; where the fault is, printing shows if it can.
            ++frames_;
            Decoder body(found.frame.body);
            to_->frame(at_, found.frame, body);
            told = !body.ok();
            if (told) to_->fault(offset_of(found.frame, found.frame.body) + body.error_offset(), body.errc());
        } else {
            state_ = State::ended;
        }
        if (!told) to_->fault(at_, static_cast<Errc>(found.error.value()));
        return found.size;
    }

    void frame(const FrameView& frame) {
        ++frames_;
        Decoder body(frame.performative);
        to_->frame(at_, frame, body);
        if (frame.empty()) return;
        const std::uint64_t base = offset_of(frame, frame.performative);
        if (!body.ok()) {
            ok_ = false;
            return to_->fault(base + body.error_offset(), body.errc());
        }
        // It reads as a value; now as what it claims to be.
        Decoder strict(frame.performative);
        if (frame.type == FrameType::sasl) {
            SaslFrame sasl;
            decode(strict, sasl);
        } else if (Performative performative; decode(strict, performative)) {
            follow(frame, performative);
        }
        if (strict.ok()) return;
        ok_ = false;
        to_->fault(base + strict.error_offset(), strict.errc());
    }

    /// What a frame means for the deliveries that are under way.
    void follow(const FrameView& frame, const Performative& performative) {
        if (const auto* transfer = std::get_if<Transfer>(&performative)) return payload(frame, *transfer);
        const auto* attach = std::get_if<Attach>(&performative);
        const auto* detach = std::get_if<Detach>(&performative);
        if (attach != nullptr || detach != nullptr) {
            deliveries_.erase({frame.channel, attach != nullptr ? attach->handle : detach->handle});
        } else if (frame.is(descriptor::begin) || frame.is(descriptor::end)) {
            std::erase_if(deliveries_, [&](const auto& delivery) { return delivery.first.first == frame.channel; });
        }
    }

    void payload(const FrameView& frame, const Transfer& transfer) {
        if (!options_.messages) return;
        const auto key = std::pair(frame.channel, transfer.handle);
        const auto begun = deliveries_.find(key);
        if (transfer.aborted) {
            if (begun != deliveries_.end()) deliveries_.erase(begun);
        } else if (begun != deliveries_.end()) {
            begun->second.octets.append(Bytes::copy_of(frame.payload));
            if (!transfer.more) complete(begun);
        } else if (transfer.more && transfer.delivery_id) {
            deliveries_[key] = {Bytes::copy_of(frame.payload),
                                transfer.message_format.value_or(protocol::message_format)};
        } else if (transfer.delivery_id &&
                   transfer.message_format.value_or(protocol::message_format) == protocol::message_format) {
            if (!report_message(*to_, frame.payload, offset_of(frame, frame.payload), true)) ok_ = false;
        }
    }

    void complete(Deliveries::iterator delivery) {
        const Bytes message = delivery->second.octets.contiguous();
        const bool known = delivery->second.message_format == protocol::message_format;
        deliveries_.erase(delivery);
        if (!known) return;
        to_->delivery(at_, message.size());
        if (!report_message(*to_, message.span(), 0, true)) ok_ = false;
    }

    DumpOptions options_;
    std::unique_ptr<Report> to_;
    Deliveries deliveries_;
    std::vector<std::byte> kept_;
    std::uint64_t at_ = 0;  // of what comes next, kept octets included
    std::uint64_t searched_ = 0;
    std::size_t frames_ = 0;
    State state_ = State::framed;
    bool ok_ = true;
};

StreamDumper::StreamDumper(const DumpOptions& options) : impl_(std::make_unique<Impl>(options)) {}
StreamDumper::~StreamDumper() = default;
StreamDumper::StreamDumper(StreamDumper&&) noexcept = default;
StreamDumper& StreamDumper::operator=(StreamDumper&&) noexcept = default;

std::string StreamDumper::feed(std::span<const std::byte> octets) { return impl_->feed(octets); }
std::string StreamDumper::skip(std::uint64_t octets) { return impl_->skip(octets); }
std::string StreamDumper::finish() { return impl_->finish(); }
bool StreamDumper::ok() const noexcept { return impl_->ok(); }
std::size_t StreamDumper::frames() const noexcept { return impl_->frames(); }

}  // namespace aprotic::codec
