#include <aprotic/driver/error.hpp>

#include <fmt/core.h>

namespace aprotic::driver {
namespace {

class DriverCategory final : public std::error_category {
public:
    const char* name() const noexcept override { return "aprotic.driver"; }

    std::string message(int value) const override {
        switch (static_cast<Errc>(value)) {
            case Errc::not_sent: return "not sent";
            case Errc::unreachable: return "unreachable";
            case Errc::authentication_failed: return "authentication failed";
            case Errc::refused: return "refused";
            case Errc::too_large: return "too large";
            case Errc::rejected: return "rejected";
            case Errc::undeliverable: return "undeliverable";
            case Errc::in_doubt: return "in doubt";
            case Errc::no_reply: return "no reply";
            case Errc::executing: return "still executing";
            case Errc::remote_error: return "remote error";
            case Errc::no_such_method: return "no such method";
            case Errc::unsupported_version: return "unsupported version";
            case Errc::bad_reply: return "bad reply";
            case Errc::invalid_target: return "invalid target";
            case Errc::version_capped: return "version capped";
            case Errc::would_deadlock: return "would deadlock";
            case Errc::cancelled: return "cancelled";
            case Errc::closed: return "closed";
            case Errc::timed_out: return "timed out";
        }
        return "unknown driver error";
    }

    std::error_condition default_error_condition(int value) const noexcept override {
        if (static_cast<Errc>(value) == Errc::cancelled) return std::errc::operation_canceled;
        return {value, *this};
    }
};

}  // namespace

const std::error_category& driver_category() noexcept {
    static const DriverCategory category;
    return category;
}

std::string CallFailure::message() const {
    std::string line = code.message();
    if (!text.empty()) line += fmt::format(": {}", text);
    if (condition) {
        line += fmt::format(": {}", condition->condition.view());
        if (condition->description && !condition->description->empty())
            line += fmt::format(" \"{}\"", *condition->description);
    }
    return line;
}

RpcError::RpcError(CallFailure failure)
    : std::system_error(failure.code),
      failure_(std::make_shared<const CallFailure>(std::move(failure))),
      what_(std::make_shared<const std::string>(failure_->message())) {}

}  // namespace aprotic::driver
