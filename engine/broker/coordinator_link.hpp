#pragma once

#include <memory>

#include <aprotic/engine/broker/transaction_table.hpp>
#include <aprotic/engine/connection.hpp>

namespace aprotic::engine::broker {

struct LinkContext;

/// Answers the peer's wish for a control link: it declares and discharges transactions there. [4.2]
void serve_coordinator(const std::shared_ptr<LinkContext>& context, const std::shared_ptr<TransactionTable>& table,
                       LinkRequest request);

}  // namespace aprotic::engine::broker
