#include <aprotic/driver/cli/connection_record.hpp>

#include <aprotic/codec/sasl_frames.hpp>

namespace aprotic::driver::cli {
namespace {

std::string text_of(const codec::ProtocolHeader& header) {
    std::string name;
    switch (header.id) {
        case 0: name = "AMQP"; break;
        case 2: name = "TLS"; break;
        case 3: name = "SASL"; break;
        default: name = "protocol " + std::to_string(header.id); break;
    }
    return name + ' ' + std::to_string(header.major) + '.' + std::to_string(header.minor) + '.' +
           std::to_string(header.revision);
}

}  // namespace

void ConnectionRecord::frame(bool outgoing, std::span<const std::byte> bytes) {
    const std::lock_guard lock(mutex_);
    if (const auto header = codec::ProtocolHeader::parse(bytes)) {
        seen_.headers.push_back({outgoing, text_of(*header)});
    } else if (const auto step = codec::FrameParser(UINT32_MAX).next(bytes);
               step.status == codec::FrameParser::Status::frame) {
        see(outgoing, step.frame);
    }
    changed_.notify_all();
}

void ConnectionRecord::see(bool outgoing, const codec::FrameView& frame) {
    if (outgoing) {
        if (const auto init = frame.as<codec::SaslInit>()) seen_.mechanism = init->mechanism.str();
        if (frame.is(codec::descriptor::begin)) seen_.begin_sent_at = Clock::now();
        return;
    }
    if (auto open = frame.as<codec::Open>()) {
        seen_.open = std::move(*open);
        seen_.opened_at = Clock::now();
    } else if (frame.is(codec::descriptor::begin)) {
        seen_.round_trips.push_back(Clock::now() - seen_.begin_sent_at);
    } else if (frame.is(codec::descriptor::end)) {
        ++seen_.sessions_ended;
    } else if (const auto offered = frame.as<codec::SaslMechanisms>()) {
        auto& names = seen_.mechanisms.emplace();
        for (const auto& mechanism : offered->sasl_server_mechanisms) names.push_back(mechanism.str());
    } else if (const auto outcome = frame.as<codec::SaslOutcome>()) {
        seen_.outcome = std::string(codec::name_of(outcome->code));
    }
}

void ConnectionRecord::certificates(std::span<const engine::CertificateSummary> chain) {
    const std::lock_guard lock(mutex_);
    seen_.chain.assign(chain.begin(), chain.end());
}

void ConnectionRecord::secured(const engine::TlsStatus& agreed) {
    const std::lock_guard lock(mutex_);
    seen_.tls = agreed;
    seen_.secured_at = Clock::now();
}

ConnectionRecord::Seen ConnectionRecord::seen() const {
    const std::lock_guard lock(mutex_);
    return seen_;
}

bool ConnectionRecord::wait(const std::function<bool(const Seen&)>& enough, std::chrono::nanoseconds timeout) const {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, timeout, [&] { return enough(seen_); });
}

}  // namespace aprotic::driver::cli
