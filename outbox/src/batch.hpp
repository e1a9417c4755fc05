// Several messages on their way into the table by one statement.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "waybill/outbox/outbox.hpp"

namespace waybill {

// Knows which messages have their answer, and renders what is still to be asked.
// **Ownership**: borrows outbox and messages. **Thread safety**: confined to one thread.
class Outbox::Batch {
 public:
  // A message that is refused for itself, and a later copy of an id, have their answer at once.
  Batch(const Outbox& outbox, Dialect dialect, std::span<const Message> messages);

  [[nodiscard]] bool is_settled() const noexcept { return waiting_.empty(); }
  // Of the waiting messages: the INSERT, and the SELECT of those that were there before.
  [[nodiscard]] Rendered insert(TransactionStatus status) const;
  [[nodiscard]] Rendered find() const;

  // Takes rows (id, message_type, biz_type, identifier[, transaction]) as the answer of the
  // messages that wait for it. False: none did.
  bool take(const std::vector<TextRow>& rows, AddResult result);
  void refuse_waiting(const Ticket& ticket);
  void refuse_all(const Ticket& ticket);

  // In the order of the messages.
  [[nodiscard]] std::vector<Ticket> tickets() const;

 private:
  const Outbox& outbox_;
  Dialect dialect_;
  std::span<const Message> messages_;
  std::vector<Rendered> rendered_;
  std::vector<Ticket> tickets_;
  std::vector<std::size_t> first_of_;  // the first message with the same id
  std::vector<std::size_t> waiting_;
};

}  // namespace waybill
