#include <aprotic/codec/definitions.hpp>
#include <aprotic/engine/connection.hpp>
#include <aprotic/engine/handler.hpp>

namespace aprotic::engine {
namespace {

codec::ErrorCondition not_implemented() {
    return {.condition = codec::condition::not_implemented,
            .description = "links from this side are not taken",
            .info = {}};
}

}  // namespace

void ConnectionHandler::on_close(Connection&, const std::optional<Failure>&) {}
void ConnectionHandler::on_sender_requested(Connection&, LinkRequest request) { request.refuse(not_implemented()); }
void ConnectionHandler::on_receiver_requested(Connection&, LinkRequest request) { request.refuse(not_implemented()); }

void SenderHandler::on_flow_properties(Sender& sender, const codec::Map& properties) {
    if (!properties.contains("txn-id")) return;
    sender.close(codec::ErrorCondition{.condition = codec::condition::not_implemented,
                                       .description = "nothing can be acquired within a transaction here",
                                       .info = {}});
}
void SenderHandler::on_transactional(Sender& sender, const Tracker&, const codec::TransactionalState&, bool) {
    sender.close(codec::ErrorCondition{.condition = codec::condition::unknown_transaction,
                                       .description = "there are no transactions here",
                                       .info = {}});
}
void SenderHandler::on_close(Sender&, const std::optional<Failure>&) {}
void ReceiverHandler::on_part(Receiver&, Delivery& delivery) { delivery.release(); }
void ReceiverHandler::on_close(Receiver&, const std::optional<Failure>&) {}

}  // namespace aprotic::engine
