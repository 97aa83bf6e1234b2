#include <chrono>

#include <fmt/chrono.h>
#include <fmt/core.h>
#include <asio/error.hpp>
#include <asio/ip/address.hpp>
#include <asio/post.hpp>

#include <aprotic/engine/io/asio_connect.hpp>
#include <aprotic/engine/io/asio_stream.hpp>

namespace aprotic::engine::io {

AsioConnect::AsioConnect(asio::io_context& context, Address to, Instant deadline, Reactor::Connected done)
    : to_(std::move(to)),
      started_(std::chrono::steady_clock::now()),
      deadline_(deadline),
      done_(std::move(done)),
      resolver_(context),
      tcp_(context),
      unix_(context),
      timer_(context) {}

void AsioConnect::start() {
    if (to_.kind == Address::Kind::unix_socket) return connect_unix();
    std::error_code error;
    const std::string& host = to_.host.empty() ? std::string("localhost") : to_.host;
    const auto literal = asio::ip::make_address(host, error);
    if (error) return resolve();
    endpoints_ = {asio::ip::tcp::endpoint(literal, to_.port)};
    connect_next();
}

void AsioConnect::cancel() {
    done_ = nullptr;
    ++step_;
    resolver_.cancel();
    timer_.cancel();
    std::error_code ignored;
    tcp_.close(ignored);
    unix_.close(ignored);
}

void AsioConnect::guard(Instant when, void (AsioConnect::*late)()) {
    timer_.expires_at(when);
    timer_.async_wait([self = shared_from_this(), step = step_, late](const std::error_code& error) {
        if (!error && step == self->step_) (self.get()->*late)();
    });
}

void AsioConnect::resolve() {
    guard(deadline_, &AsioConnect::resolve_late);
    const std::string host = to_.host.empty() ? "localhost" : to_.host;
    resolver_.async_resolve(host, std::to_string(to_.port), asio::ip::tcp::resolver::numeric_service,
                            [self = shared_from_this(), step = step_](const std::error_code& error, const auto& found) {
                                if (step != self->step_) return;
                                if (error) {
                                    return self->fail(Errc::resolve_failed,
                                                      fmt::format("cannot resolve the host of {}: {}",
                                                                  self->to_.to_string(), error.message()));
                                }
                                for (const auto& entry : found) self->endpoints_.push_back(entry.endpoint());
                                self->connect_next();
                            });
}

void AsioConnect::connect_next() {
    ++step_;
    std::error_code ignored;
    tcp_.close(ignored);
    if (next_ == endpoints_.size()) {
        return fail(Errc::connect_failed, fmt::format("cannot connect to {} ({})", to_.to_string(), tried_));
    }
    const Instant now = std::chrono::steady_clock::now();
    const auto left = static_cast<Duration::rep>(endpoints_.size() - next_);
    guard(now + (deadline_ - now) / left, &AsioConnect::connect_late);
    tcp_.async_connect(endpoints_[next_], [self = shared_from_this(), step = step_](const std::error_code& error) {
        if (step != self->step_) return;
        if (!error) return self->succeed(make_asio_stream(std::move(self->tcp_)));
        self->note(to_string(self->endpoints_[self->next_++]), error);
        self->connect_next();
    });
}

void AsioConnect::connect_unix() {
    guard(deadline_, &AsioConnect::connect_late);
    asio::local::stream_protocol::endpoint endpoint;
    try {
        endpoint.path(to_.host);  // only this form of it exists, and it throws when the path is too long
    } catch (const std::system_error& error) {
        asio::post(timer_.get_executor(), [self = shared_from_this(), step = step_, why = error.code()] {
            if (step != self->step_) return;
            self->fail(Errc::connect_failed,
                       fmt::format("cannot connect to {}: {}", self->to_.to_string(), why.message()));
        });
        return;
    }
    unix_.async_connect(endpoint, [self = shared_from_this(), step = step_](const std::error_code& error) {
        if (step != self->step_) return;
        if (!error) return self->succeed(make_asio_stream(std::move(self->unix_), self->to_.host));
        self->fail(Errc::connect_failed,
                   fmt::format("cannot connect to {}: {}", self->to_.to_string(), error.message()));
    });
}

void AsioConnect::resolve_late() {
    fail(Errc::connect_timed_out, fmt::format("the host of {} was not resolved within {}", to_.to_string(), waited()));
}

void AsioConnect::connect_late() {
    if (to_.kind == Address::Kind::tcp) {
        note(to_string(endpoints_[next_++]), asio::error::timed_out);
        if (next_ < endpoints_.size()) return connect_next();
    }
    fail(Errc::connect_timed_out, fmt::format("no connection to {} within {}{}", to_.to_string(), waited(),
                                              tried_.empty() ? "" : fmt::format(" ({})", tried_)));
}

void AsioConnect::note(const std::string& address, const std::error_code& error) {
    if (!tried_.empty()) tried_ += "; ";
    tried_ += fmt::format("{}: {}", address, error.message());
}

std::string AsioConnect::waited() const {
    return fmt::format("{}", std::chrono::round<std::chrono::milliseconds>(deadline_ - started_));
}

void AsioConnect::succeed(std::unique_ptr<Stream> stream) {
    auto done = std::move(done_);
    cancel();
    if (done) done(std::move(stream));
}

void AsioConnect::fail(Errc code, std::string text) {
    auto done = std::move(done_);
    cancel();
    if (done) done(Failure{.code = code, .initiator = Initiator::transport, .condition = {}, .text = std::move(text)});
}

}  // namespace aprotic::engine::io
