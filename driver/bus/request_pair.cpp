#include <aprotic/driver/bus/request_pair.hpp>

#include <charconv>
#include <utility>

#include <fmt/core.h>

#include <aprotic/driver/bus/bus.hpp>

namespace aprotic::driver::bus {

struct RequestPair::Sending final : engine::SenderHandler {
    explicit Sending(std::weak_ptr<RequestPair> owner) : pair(std::move(owner)) {}
    void on_close(engine::Sender&, const std::optional<engine::Failure>& why) override {
        if (const auto alive = pair.lock()) alive->lost(why);
    }
    std::weak_ptr<RequestPair> pair;
};

struct RequestPair::Receiving final : engine::ReceiverHandler {
    explicit Receiving(std::weak_ptr<RequestPair> owner) : pair(std::move(owner)) {}
    void on_message(engine::Receiver&, engine::Delivery& delivery) override {
        const auto alive = pair.lock();
        if (!alive || alive->closed_) return;
        alive->take(delivery.message());
        delivery.accept();
    }
    void on_close(engine::Receiver&, const std::optional<engine::Failure>& why) override {
        if (const auto alive = pair.lock()) alive->lost(why);
    }
    std::weak_ptr<RequestPair> pair;
};

RequestPair::RequestPair(Peer& peer, Node node) : peer_(peer.weak_from_this()), node_(std::move(node)) {}

void RequestPair::open() {
    const auto peer = peer_.lock();
    const auto bus = peer ? peer->bus() : nullptr;
    if (!bus || sender_) return;
    name_ = fmt::format("aprotic/{}/{}", node_.address, bus->random_id());
    engine::SenderOptions there;
    engine::ReceiverOptions back;
    const std::string ours = node_.paired ? node_.address : name_;
    there.link.name = node_.paired ? name_ : name_ + "/requests";
    back.link.name = node_.paired ? name_ : name_ + "/answers";
    there.link.source.emplace().address = ours;
    std::get<codec::Target>(there.link.target.emplace(codec::Target())).address = node_.address;
    back.link.source.emplace().address = node_.address;
    std::get<codec::Target>(back.link.target.emplace(codec::Target())).address = ours;
    if (node_.settled) there.link.snd_settle_mode = back.link.snd_settle_mode = codec::SenderSettleMode::settled;
    if (node_.paired) {
        there.link.properties.set(codec::Symbol("paired"), true);
        back.link.properties.set(codec::Symbol("paired"), true);
    }
    const auto self = weak_from_this();
    session_ = peer->connection().open_session();
    receiver_ = session_.open_receiver(node_.address, std::move(back), std::make_shared<Receiving>(self));
    sender_ = session_.open_sender(node_.address, std::move(there), std::make_shared<Sending>(self));
}

void RequestPair::ask(codec::Message request, engine::Function<void(Answer)> done) {
    const auto peer = peer_.lock();
    const auto bus = peer ? peer->bus() : nullptr;
    if (!bus || closed_) return;
    open();
    const std::uint64_t number = ++last_number_;
    auto& properties = request.ensure_properties();
    properties.message_id = std::to_string(number);
    properties.reply_to = node_.paired ? "$me" : name_;
    Question& question = questions_[number];
    question.done = std::move(done);
    question.timer = bus->reactor().start_timer(
        bus->reactor().now() + node_.patience, [self = weak_from_this(), number, name = node_.address] {
            const auto alive = self.lock();
            if (!alive || alive->closed_) return;
            alive->end(number, engine::Failure{engine::Errc::timed_out,
                                               engine::Initiator::us,
                                               {},
                                               fmt::format("the peer's node '{}' has not answered", name)});
        });
    sender_.send(codec::encode(request), {.settled = node_.settled})
        .on_done([self = weak_from_this(), number](const engine::Outcome& outcome) {
            const auto alive = self.lock();
            const bool taken = outcome.kind == engine::Outcome::Kind::accepted ||
                               outcome.kind == engine::Outcome::Kind::sent || outcome.failure;
            // What befalls the link is told by it.
            if (!alive || alive->closed_ || taken) return;
            alive->end(number, engine::Failure{engine::Errc::refused, engine::Initiator::peer, outcome.condition,
                                               fmt::format("the peer's node '{}' does not take the request: {}",
                                                           alive->node_.address, outcome.message())});
        });
}

void RequestPair::take(const codec::MessageView& answer) {
    const auto id = answer.correlation_id();
    std::uint64_t number = 0;
    if (const auto* text = id ? std::get_if<std::string_view>(&*id) : nullptr)
        std::from_chars(text->data(), text->data() + text->size(), number);
    auto message = answer.to_message();
    if (!message) {
        end(number, engine::Failure{engine::Errc::refused,
                                    engine::Initiator::peer,
                                    {},
                                    fmt::format("the answer of the peer's node '{}' cannot be read: {}", node_.address,
                                                message.error().message())});
        return;
    }
    end(number, std::move(*message));
}

void RequestPair::end(std::uint64_t number, Answer answer) {
    auto question = questions_.extract(number);
    if (!question) return;
    const auto peer = peer_.lock();
    if (const auto bus = peer ? peer->bus() : nullptr) bus->reactor().cancel_timer(question.mapped().timer);
    question.mapped().done(std::move(answer));
}

void RequestPair::lost(const std::optional<engine::Failure>& why) {
    if (closed_ || !sender_) return;
    // One half is of no use without the other.
    std::exchange(sender_, {}).close();
    std::exchange(receiver_, {}).close();
    std::exchange(session_, {}).end();
    const engine::Failure failure = why.value_or(
        engine::Failure{engine::Errc::closed, engine::Initiator::us, {}, "the link to the peer's node was closed"});
    for (auto all = std::exchange(questions_, {}); auto& [number, question] : all) {
        const auto peer = peer_.lock();
        if (const auto bus = peer ? peer->bus() : nullptr) bus->reactor().cancel_timer(question.timer);
        question.done(failure);
    }
}

void RequestPair::close() {
    if (std::exchange(closed_, true)) return;
    const auto peer = peer_.lock();
    const auto bus = peer ? peer->bus() : nullptr;
    for (const auto& [number, question] : std::exchange(questions_, {}))
        if (bus) bus->reactor().cancel_timer(question.timer);
    if (sender_) std::exchange(sender_, {}).close();
    if (receiver_) std::exchange(receiver_, {}).close();
    session_ = {};
}

}  // namespace aprotic::driver::bus
