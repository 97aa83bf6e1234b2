#include <aprotic/driver/metrics_endpoint.hpp>

#include <array>
#include <future>
#include <map>
#include <optional>
#include <span>
#include <string_view>
#include <utility>

#include <aprotic/driver/http/request_head.hpp>
#include <aprotic/driver/prometheus.hpp>

namespace aprotic::driver {

/// Used on the reactor's thread only.
struct MetricsEndpoint::State : std::enable_shared_from_this<State> {
    class Visit;

    State(engine::Reactor& world, Source texts) : reactor(world), source(std::move(texts)) {}
    ~State() { shut_down(); }

    void accept(std::unique_ptr<engine::Stream> stream);
    void shut_down();

    engine::Reactor& reactor;
    const Source source;
    std::unique_ptr<engine::Acceptor> acceptor;
    std::uint64_t last_visit = 0;
    std::map<std::uint64_t, std::shared_ptr<Visit>> visits;
};

/// One connection: a request, a response, the end.
class MetricsEndpoint::State::Visit : public std::enable_shared_from_this<Visit> {
public:
    Visit(std::weak_ptr<State> owner, std::uint64_t number, std::unique_ptr<engine::Stream> stream)
        : owner_(std::move(owner)), number_(number), stream_(std::move(stream)) {}

    void start() {
        const auto state = owner_.lock();
        timer_ = state->reactor.start_timer(state->reactor.now() + request_timeout, [weak = weak_from_this()] {
            if (const auto self = weak.lock()) self->end();
        });
        read();
    }
    void end() {
        stream_->close();
        const auto self = shared_from_this();
        if (const auto state = owner_.lock()) {
            state->reactor.cancel_timer(timer_);
            state->visits.erase(number_);
        }
    }

private:
    void read() {
        stream_->read(into_, [self = shared_from_this()](std::error_code error, std::size_t n) {
            if (error || n == 0) return self->end();
            self->take(std::string_view(reinterpret_cast<const char*>(self->into_.data()), n));
        });
    }

    void take(std::string_view octets) {
        if (answered_) return read();  // dropped: closing with something unread would cut off the response
        head_ += octets;
        const auto answer = http::read_head(head_, "/metrics");
        if (!answer) return read();
        const auto state = owner_.lock();
        if (!state) return end();
        response_ = http::response(*answer, PrometheusText::content_type,
                                   answer->status == 200 ? state->source() : std::string());
        answered_ = true;
        write();
    }

    void write() {
        const auto rest = std::as_bytes(std::span(response_)).subspan(written_);
        const codec::ConstBuffer buffer{rest.data(), rest.size()};
        stream_->write(std::span(&buffer, 1), [self = shared_from_this()](std::error_code error, std::size_t n) {
            if (error) return self->end();
            self->written_ += n;
            if (self->written_ < self->response_.size()) return self->write();
            self->stream_->shutdown_write();
            self->read();
        });
    }

    const std::weak_ptr<State> owner_;
    const std::uint64_t number_;
    engine::Reactor::TimerId timer_ = 0;
    std::string head_;
    std::string response_;
    std::size_t written_ = 0;
    bool answered_ = false;
    std::array<std::byte, 2048> into_{};
    std::unique_ptr<engine::Stream> stream_;  // last: gone before the memory it uses
};

void MetricsEndpoint::State::accept(std::unique_ptr<engine::Stream> stream) {
    if (visits.size() >= connections_max) return;
    const auto visit = std::make_shared<Visit>(weak_from_this(), ++last_visit, std::move(stream));
    visits.emplace(last_visit, visit);
    visit->start();
}

void MetricsEndpoint::State::shut_down() {
    acceptor.reset();
    for (const auto& [number, visit] : std::exchange(visits, {})) visit->end();
}

codec::Result<std::unique_ptr<MetricsEndpoint>, engine::Failure> MetricsEndpoint::listen(engine::Reactor& reactor,
                                                                                         const engine::Address& at,
                                                                                         Source source) {
    using Made = codec::Result<engine::Address, engine::Failure>;
    const auto state = std::make_shared<State>(reactor, std::move(source));
    const auto make = [&]() -> Made {
        auto acceptor = reactor.listen(at, [weak = std::weak_ptr(state)](std::unique_ptr<engine::Stream> stream) {
            if (const auto alive = weak.lock()) alive->accept(std::move(stream));
        });
        if (!acceptor) return acceptor.error();
        state->acceptor = std::move(*acceptor);
        return state->acceptor->local_address();
    };
    std::optional<Made> made;
    if (reactor.on_thread()) {
        made.emplace(make());
    } else {
        std::promise<void> done;
        reactor.post([&] {
            made.emplace(make());
            done.set_value();
        });
        done.get_future().wait();
    }
    if (!*made) return made->error();
    return std::unique_ptr<MetricsEndpoint>(new MetricsEndpoint(state, **made));
}

MetricsEndpoint::MetricsEndpoint(std::shared_ptr<State> state, engine::Address address)
    : state_(std::move(state)), address_(std::move(address)) {}

MetricsEndpoint::~MetricsEndpoint() {
    auto& reactor = state_->reactor;
    if (reactor.on_thread())
        state_->shut_down();
    else
        reactor.post([state = std::move(state_)] { state->shut_down(); });
}

}  // namespace aprotic::driver
