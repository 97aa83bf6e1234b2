#include <aprotic/driver/metrics.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <limits>
#include <string_view>

#include <aprotic/driver/error.hpp>
#include <aprotic/driver/prometheus.hpp>

namespace aprotic::driver {
namespace {

class Count {
public:
    void add(std::uint64_t amount = 1) noexcept { value_.fetch_add(amount, std::memory_order_relaxed); }
    std::uint64_t get() const noexcept { return value_.load(std::memory_order_relaxed); }

private:
    std::atomic<std::uint64_t> value_ = 0;
};

/// A begin is seen no later than its end, or the difference would be less than nothing for a moment.
std::uint64_t difference(std::uint64_t begun, std::uint64_t ended) noexcept {
    return begun > ended ? begun - ended : 0;
}

/// Counts of times in ranges that grow with them: each decade has 90 of equal width, so that a range is at most a tenth
/// as wide as what is in it. A range is open below and closed above, as the bounds of Prometheus are.
class Histogram {
public:
    static constexpr std::uint64_t lowest = 1'000;  // ns: the first range ends here
    static constexpr std::size_t decades = 9;       // to 1,000 s
    static constexpr std::size_t ranges = 1 + 90 * decades;

    void add(Duration time) noexcept {
        const auto ns = static_cast<std::uint64_t>(std::max<Duration::rep>(time.count(), 0));
        counts_[range_of(ns)].add();
        sum_.add(ns);
    }
    std::uint64_t total() const noexcept {
        std::uint64_t all = 0;
        for (const auto& count : counts_) all += count.get();
        return all;
    }
    Duration quantile(double share) const noexcept {
        const std::uint64_t all = total();
        if (all == 0) return {};
        const double rank = std::ceil(std::clamp(share, 0.0, 1.0) * static_cast<double>(all));
        std::uint64_t passed = 0;
        for (std::size_t i = 0; i < ranges; ++i) {
            passed += counts_[i].get();
            if (passed > 0 && static_cast<double>(passed) >= rank)
                return Duration(static_cast<Duration::rep>((i == 0 ? lowest : end_of(i - 1)) / 2 + end_of(i) / 2));
        }
        return Duration(static_cast<Duration::rep>(end_of(ranges - 1)));
    }
    void write(PrometheusText& out, PrometheusText::Label label) const {
        std::uint64_t passed = 0;
        std::size_t next = 0;
        constexpr std::uint64_t tenths[] = {10, 25, 50};
        for (std::uint64_t unit = lowest; unit <= 100'000'000'000; unit *= 10) {
            for (const std::uint64_t tenth : tenths) {
                const std::uint64_t bound = unit / 10 * tenth;
                for (const std::size_t end = range_of(bound); next <= end; ++next) passed += counts_[next].get();
                add(out, label, PrometheusText::number(static_cast<double>(bound) / 1e9), passed);
            }
        }
        for (; next < ranges; ++next) passed += counts_[next].get();
        add(out, label, "+Inf", passed);
        const double sum = static_cast<double>(sum_.get()) / 1e9;
        if (label.first.empty()) {
            out.add({}, sum, "_sum");
            out.add({}, passed, "_count");
        } else {
            out.add({label}, sum, "_sum");
            out.add({label}, passed, "_count");
        }
    }

private:
    static void add(PrometheusText& out, PrometheusText::Label label, std::string_view bound, std::uint64_t passed) {
        if (label.first.empty())
            out.add({{"le", bound}}, passed, "_bucket");
        else
            out.add({label, {"le", bound}}, passed, "_bucket");
    }
    static std::size_t range_of(std::uint64_t ns) noexcept {
        if (ns <= lowest) return 0;
        const std::uint64_t below = ns - 1;
        std::uint64_t unit = lowest / 10;
        for (std::size_t decade = 0; decade < decades; ++decade, unit *= 10)
            if (below < unit * 100) return 1 + 90 * decade + static_cast<std::size_t>(below / unit) - 10;
        return ranges - 1;
    }
    static std::uint64_t end_of(std::size_t range) noexcept {
        if (range == 0) return lowest;
        std::uint64_t unit = lowest / 10;
        for (std::size_t decade = (range - 1) / 90; decade > 0; --decade) unit *= 10;
        return unit * ((range - 1) % 90 + 11);
    }

    std::array<Count, ranges> counts_;
    Count sum_;  // ns
};

constexpr std::array<std::string_view, 5> kinds = {"call", "cast", "reply", "heartbeat", "notification"};
constexpr std::array<std::string_view, 4> serve_outcomes = {"replied", "failed", "no_such_method",
                                                            "unsupported_version"};
constexpr std::array<std::string_view, 5> reasons = {"malformed", "expired", "cancelled", "repeated", "filtered"};
constexpr std::size_t times_count = 9;
/// 0 is success, then one for each Errc there may ever be, and one for all that is none.
constexpr std::size_t outcome_count = 64;

template <class Enum>
constexpr std::size_t place(Enum value) noexcept {
    return static_cast<std::size_t>(value);
}

std::size_t place(std::error_code outcome) noexcept {
    if (!outcome) return 0;
    const bool ours = outcome.category() == driver_category();
    const auto value = static_cast<unsigned>(outcome.value());
    return ours && value < outcome_count - 1 ? value : outcome_count - 1;
}

/// "in_doubt", from the words of the code.
std::string word(std::size_t outcome) {
    if (outcome == 0) return "ok";
    if (outcome == outcome_count - 1) return "other";
    std::string text = make_error_code(static_cast<Errc>(outcome)).message();
    std::ranges::replace(text, ' ', '_');
    return text;
}

using Type = PrometheusText::Type;

}  // namespace

struct Metrics::State {
    template <std::size_t N>
    using Counts = std::array<Count, N>;

    Counts<kinds.size()> begun;
    Counts<kinds.size()> octets_sent;
    Counts<kinds.size()> given_back;
    std::array<Counts<outcome_count>, kinds.size()> ended;
    Count reply_octets;
    Count replies_unmatched;
    Count heartbeats;

    Counts<kinds.size()> requests;
    Counts<kinds.size()> request_octets;
    Counts<kinds.size()> requests_begun;
    std::array<Counts<reasons.size()>, kinds.size()> unserved;
    std::array<Counts<serve_outcomes.size()>, kinds.size()> served;

    Count opened;
    Count open_failed;
    Count lost;
    Count left;

    std::array<Histogram, times_count> times;

    Histogram& of(Times what) noexcept { return times[place(what)]; }

    std::uint64_t under_way(std::size_t kind) const noexcept {
        std::uint64_t over = 0;
        for (const auto& each : ended[kind]) over += each.get();
        return difference(begun[kind].get(), over);
    }
    std::uint64_t running(std::size_t kind) const noexcept {
        std::uint64_t over = 0;
        for (const auto& each : served[kind]) over += each.get();
        return difference(requests_begun[kind].get(), over);
    }

    void write_messages(PrometheusText& out) const;
    void write_requests(PrometheusText& out) const;
    void write_connections(PrometheusText& out) const;
};

Metrics::Metrics() : state_(std::make_unique<State>()) {}
Metrics::~Metrics() = default;

std::uint64_t Metrics::count(Times what) const noexcept { return state_->of(what).total(); }
Duration Metrics::quantile(Times what, double share) const noexcept { return state_->of(what).quantile(share); }
std::uint64_t Metrics::in_flight(MessageKind kind) const noexcept { return state_->under_way(place(kind)); }

void Metrics::message_begun(MessageKind kind, std::size_t octets) noexcept {
    state_->begun[place(kind)].add();
    state_->octets_sent[place(kind)].add(octets);
}

void Metrics::message_ended(MessageKind kind, std::error_code outcome, Duration elapsed) noexcept {
    state_->ended[place(kind)][place(outcome)].add();
    switch (kind) {
        case MessageKind::call: state_->of(Times::call).add(elapsed); break;
        case MessageKind::cast: state_->of(Times::cast).add(elapsed); break;
        case MessageKind::reply: state_->of(Times::reply).add(elapsed); break;
        case MessageKind::notification: state_->of(Times::notification).add(elapsed); break;
        case MessageKind::heartbeat: break;
    }
}

void Metrics::message_given_back(MessageKind kind) noexcept { state_->given_back[place(kind)].add(); }
void Metrics::credit_awaited(Duration waited) noexcept { state_->of(Times::credit).add(waited); }
void Metrics::reply_received(std::size_t octets) noexcept { state_->reply_octets.add(octets); }
void Metrics::reply_unmatched() noexcept { state_->replies_unmatched.add(); }
void Metrics::heartbeat_received() noexcept { state_->heartbeats.add(); }

void Metrics::request_received(MessageKind kind, std::size_t octets) noexcept {
    state_->requests[place(kind)].add();
    state_->request_octets[place(kind)].add(octets);
}

void Metrics::request_unserved(MessageKind kind, Unserved why) noexcept {
    state_->unserved[place(kind)][place(why)].add();
}

void Metrics::request_begun(MessageKind kind, Duration waited) noexcept {
    state_->requests_begun[place(kind)].add();
    state_->of(Times::queue).add(waited);
}

void Metrics::request_ended(MessageKind kind, ServeOutcome outcome, Duration ran) noexcept {
    state_->served[place(kind)][place(outcome)].add();
    state_->of(Times::handler).add(ran);
}

void Metrics::connected(Duration took) noexcept {
    state_->opened.add();
    state_->of(Times::connect).add(took);
}

void Metrics::connect_failed(std::error_code) noexcept { state_->open_failed.add(); }
void Metrics::connection_lost(std::error_code) noexcept { state_->lost.add(); }
void Metrics::disconnected() noexcept { state_->left.add(); }
void Metrics::reconnected(Duration without) noexcept { state_->of(Times::reconnect).add(without); }

std::string Metrics::prometheus_text() const {
    PrometheusText out;
    state_->write_messages(out);
    state_->write_requests(out);
    state_->write_connections(out);
    return out.text();
}

void Metrics::State::write_messages(PrometheusText& out) const {
    const auto by_kind = [&](std::string_view name, std::string_view help, const Counts<kinds.size()>& counts) {
        out.begin(name, Type::counter, help);
        for (std::size_t kind = 0; kind < kinds.size(); ++kind) out.add({{"kind", kinds[kind]}}, counts[kind].get());
    };
    by_kind("aprotic_messages_begun_total", "Messages given to the transport to send.", begun);
    by_kind("aprotic_message_octets_total", "Octets in the bodies of these messages.", octets_sent);
    by_kind("aprotic_messages_given_back_total", "Times that the peer released or modified a message.", given_back);
    out.begin("aprotic_messages_total", Type::counter, "Messages that have ended, by what came of them.");
    for (std::size_t kind = 0; kind < kinds.size(); ++kind)
        for (std::size_t outcome = 0; outcome < outcome_count; ++outcome)
            if (const std::uint64_t n = ended[kind][outcome].get(); n > 0 || outcome == 0)
                out.add({{"kind", kinds[kind]}, {"outcome", word(outcome)}}, n);
    out.begin("aprotic_messages_in_flight", Type::gauge, "Messages that have begun and not ended.");
    for (std::size_t kind = 0; kind < kinds.size(); ++kind) out.add({{"kind", kinds[kind]}}, under_way(kind));
    out.begin("aprotic_message_duration_seconds", Type::histogram, "From the begin of a message to its end.");
    for (const auto& [what, kind] :
         {std::pair(Times::call, MessageKind::call), std::pair(Times::cast, MessageKind::cast),
          std::pair(Times::reply, MessageKind::reply), std::pair(Times::notification, MessageKind::notification)})
        times[place(what)].write(out, {"kind", kinds[place(kind)]});

    out.begin("aprotic_reply_octets_total", Type::counter, "Octets in the bodies of replies received.");
    out.add({}, reply_octets.get());
    out.begin("aprotic_replies_unmatched_total", Type::counter, "Replies late, repeated, or for no call of ours.");
    out.add({}, replies_unmatched.get());
    out.begin("aprotic_heartbeats_received_total", Type::counter, "Signs of servers that work on a call.");
    out.add({}, heartbeats.get());
    out.begin("aprotic_credit_wait_seconds", Type::histogram, "Times for which a link had no credit for a message.");
    times[place(Times::credit)].write(out, {});
}

void Metrics::State::write_requests(PrometheusText& out) const {
    constexpr MessageKind received[] = {MessageKind::call, MessageKind::cast, MessageKind::notification};
    const auto by_kind = [&](std::string_view name, std::string_view help, const Counts<kinds.size()>& counts) {
        out.begin(name, Type::counter, help);
        for (const auto kind : received) out.add({{"kind", kinds[place(kind)]}}, counts[place(kind)].get());
    };
    by_kind("aprotic_server_requests_received_total", "Requests and notifications that have arrived.", requests);
    by_kind("aprotic_server_request_octets_total", "Octets in their bodies.", request_octets);
    out.begin("aprotic_server_requests_unserved_total", Type::counter, "Those that were not begun, by reason.");
    for (const auto kind : received)
        for (std::size_t why = 0; why < reasons.size(); ++why)
            out.add({{"kind", kinds[place(kind)]}, {"reason", reasons[why]}}, unserved[place(kind)][why].get());
    out.begin("aprotic_server_requests_total", Type::counter, "Those that have ended, by what came of them.");
    for (const auto kind : received)
        for (std::size_t outcome = 0; outcome < serve_outcomes.size(); ++outcome)
            out.add({{"kind", kinds[place(kind)]}, {"outcome", serve_outcomes[outcome]}},
                    served[place(kind)][outcome].get());
    out.begin("aprotic_server_requests_running", Type::gauge, "Those that have begun and not ended.");
    for (const auto kind : received) out.add({{"kind", kinds[place(kind)]}}, running(place(kind)));
    out.begin("aprotic_server_queue_seconds", Type::histogram, "From the arrival of a request until it is begun.");
    times[place(Times::queue)].write(out, {});
    out.begin("aprotic_server_handler_seconds", Type::histogram, "From the begin of a method to its answer.");
    times[place(Times::handler)].write(out, {});
}

void Metrics::State::write_connections(PrometheusText& out) const {
    out.begin("aprotic_connects_total", Type::counter, "Attempts to connect that have ended.");
    out.add({{"outcome", "opened"}}, opened.get());
    out.add({{"outcome", "failed"}}, open_failed.get());
    out.begin("aprotic_connections_lost_total", Type::counter, "Open connections that went, not by us.");
    out.add({}, lost.get());
    out.begin("aprotic_connections_open", Type::gauge, "Connections that are open.");
    out.add({}, difference(opened.get(), lost.get() + left.get()));
    out.begin("aprotic_connect_seconds", Type::histogram, "From an attempt to the open connection.");
    times[place(Times::connect)].write(out, {});
    out.begin("aprotic_reconnect_seconds", Type::histogram, "From the loss of a connection to the next open one.");
    times[place(Times::reconnect)].write(out, {});
}

}  // namespace aprotic::driver
