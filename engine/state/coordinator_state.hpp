#pragma once

#include <cstddef>
#include <deque>
#include <memory>
#include <vector>

#include <aprotic/engine/state/transaction_state.hpp>

namespace aprotic::engine {

struct ConnectionState;
struct SessionState;

/// Our link to the peer's coordinator of transactions, one per session and opened when it is first needed. [4.2]
/// Reactor's thread.
struct CoordinatorState final : SenderHandler, std::enable_shared_from_this<CoordinatorState> {
    CoordinatorState(ConnectionState& its_connection, std::shared_ptr<SessionState> its_session);

    void start();
    void declare(Duration timeout, Transaction::Declared done, TransactionOptions options, std::shared_ptr<void> keeps);
    void discharge(const std::shared_ptr<TransactionState>& transaction, bool fail);
    void over(const TransactionState& transaction);
    /// The connection is over.
    void lost(const Failure& why);
    void forget_user();

    void on_open(Sender& sender) override;
    void on_close(Sender& sender, const std::optional<Failure>& why) override;

    ConnectionState* connection;  ///< null when lost
    const std::shared_ptr<Loop> loop;
    std::shared_ptr<SessionState> session;
    CoordinatorCapabilities capabilities;

private:
    struct Request;

    void send_declare(const std::shared_ptr<Request>& request);
    void declared(const std::shared_ptr<Request>& request, const Outcome& outcome);
    void answer(const std::shared_ptr<Request>& request, codec::Result<Transaction, Failure> result);
    Failure failure(std::error_code code, std::string_view text) const;

    Sender sender_;
    bool open_ = false;
    std::deque<std::shared_ptr<Request>> waiting_;     // for the link to open
    std::vector<std::shared_ptr<Request>> declaring_;  // sent
    std::vector<std::shared_ptr<TransactionState>> live_;
};

}  // namespace aprotic::engine
