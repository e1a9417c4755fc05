#include "batch.hpp"

#include <algorithm>
#include <map>
#include <stdexcept>
#include <string_view>
#include <tuple>

#include "insert_statement.hpp"

namespace waybill {
namespace {

constexpr std::size_t kRenderedMessagesMax = 1000;

using Key = std::tuple<std::string_view, std::string_view, std::string_view>;

Key key_of(const Message& message) {
  return {message.message_type, message.biz_type, message.identifier};
}

void append(Rendered& to, const Rendered& from) {
  to.parameters.insert(to.parameters.end(), from.parameters.begin(), from.parameters.end());
}

}  // namespace

Outbox::Batch::Batch(const Outbox& outbox, Dialect dialect, std::span<const Message> messages)
    : outbox_(outbox), dialect_(dialect), messages_(messages), tickets_(messages.size()) {
  std::map<Key, std::size_t> firsts;
  for (std::size_t i = 0; i < messages.size(); ++i) {
    Rendered rendered = outbox.check(messages[i]);
    tickets_[i] = {rendered.result, 0, 0, rendered.text};
    const auto [first, is_first] = firsts.emplace(key_of(messages[i]), i);
    if (rendered.result != AddResult::added) {
      if (is_first) firsts.erase(first);
      first_of_.push_back(i);
    } else {
      first_of_.push_back(first->second);
      if (is_first) waiting_.push_back(i);
    }
    rendered_.push_back(std::move(rendered));
  }
}

Rendered Outbox::Batch::insert(TransactionStatus status) const {
  Rendered rendered;
  rendered.sql = insert_statement(
      dialect_, outbox_.options(),
      status == TransactionStatus::unknown ? Guard::in_statement : Guard::none, waiting_.size());
  for (const std::size_t i : waiting_) append(rendered, rendered_[i]);
  return rendered;
}

Rendered Outbox::Batch::find() const {
  Rendered rendered;
  rendered.sql = find_statement(dialect_, outbox_.options().table, waiting_.size());
  for (const std::size_t i : waiting_) {
    const Message& message = messages_[i];
    for (const std::string& part : {message.message_type, message.biz_type, message.identifier}) {
      rendered.parameters.emplace_back(part);
    }
  }
  return rendered;
}

bool Outbox::Batch::take(const std::vector<TextRow>& rows, AddResult result) {
  std::map<Key, const TextRow*> answers;
  for (const TextRow& row : rows) answers.emplace(Key{row.at(1), row.at(2), row.at(3)}, &row);
  const auto answered = [&](std::size_t i) {
    const auto answer = answers.find(key_of(messages_[i]));
    if (answer == answers.end()) return false;
    const TextRow& row = *answer->second;
    const std::int64_t id = std::stoll(row.at(0));
    tickets_[i] = result == AddResult::duplicate ? duplicate(id) : Ticket{result, id, 0, {}};
    if (row.size() > 4) tickets_[i].transaction_id = std::stoull(row[4]);
    return true;
  };
  return std::erase_if(waiting_, answered) > 0;
}

void Outbox::Batch::refuse_waiting(const Ticket& ticket) {
  for (const std::size_t i : waiting_) tickets_[i] = ticket;
  waiting_.clear();
}

void Outbox::Batch::refuse_all(const Ticket& ticket) {
  std::fill(tickets_.begin(), tickets_.end(), ticket);
  waiting_.clear();
}

std::vector<Ticket> Outbox::Batch::tickets() const {
  std::vector<Ticket> tickets = tickets_;
  for (std::size_t i = 0; i < tickets.size(); ++i) {
    const Ticket& first = tickets[first_of_[i]];
    if (first_of_[i] == i) continue;
    tickets[i] = first.result == AddResult::added ? duplicate(first.id) : first;
  }
  return tickets;
}

Rendered Outbox::render(Dialect dialect, std::span<const Message> messages) const {
  if (messages.empty() || messages.size() > kRenderedMessagesMax) {
    throw std::invalid_argument("cannot render " + std::to_string(messages.size()) +
                                " messages (1 to 1000)");
  }
  Rendered all;
  all.sql = insert_statement(dialect, options_, Guard::in_statement, messages.size());
  for (const Message& message : messages) {
    Rendered rendered = check(message);
    if (rendered.result != AddResult::added) return rendered;
    append(all, rendered);
  }
  return all;
}

void Outbox::add_batch(const Calls& calls, std::span<const Message> messages,
                       std::vector<Ticket>& tickets) const {
  Batch batch(*this, calls.dialect, messages);
  const TransactionStatus before = calls.status();
  if (before == TransactionStatus::idle || before == TransactionStatus::failed) {
    tickets.insert(tickets.end(), messages.size(), not_open(before));
    return;
  }
  if (!OpenTransaction::admits(calls.connection)) {
    tickets.insert(tickets.end(), messages.size(), foreign_connection());
    return;
  }
  write(batch, calls, before);
  const std::vector<Ticket> answers = batch.tickets();
  tickets.insert(tickets.end(), answers.begin(), answers.end());
}

void Outbox::write(Batch& batch, const Calls& calls, TransactionStatus before) const {
  const auto run = [&](const Rendered& rendered) {
    const std::vector<Value> values = rendered.values();
    return calls.select({rendered.sql, values});
  };
  while (!batch.is_settled()) {
    bool has_written = false;
    try {
      has_written = batch.take(run(batch.insert(before)), AddResult::added);
    } catch (const InsertRefused& refusal) {
      if (refusal.by() == InsertRefused::By::guard) {
        return batch.refuse_all(refused_by_guard(calls));
      }
      // Nothing of the statement was written: again, without those that are there.
      if (batch.take(run(batch.find()), AddResult::duplicate)) continue;
      return batch.refuse_waiting(kept_out());
    } catch (const std::exception& error) {
      if (calls.status() != TransactionStatus::idle) throw;
      return batch.refuse_all(ended_silently(TransactionStatus::idle, error.what()));
    }
    const TransactionStatus after = calls.status();
    const bool by_guard = before == TransactionStatus::unknown && !has_written;
    if (after == TransactionStatus::failed || (after == TransactionStatus::idle && !by_guard)) {
      return batch.refuse_all(ended_silently(after, {}));
    }
    if (batch.is_settled()) return;
    batch.take(run(batch.find()), AddResult::duplicate);
    if (batch.is_settled()) return;
    batch.refuse_waiting(by_guard ? refused_by_guard(calls) : kept_out());
  }
}

}  // namespace waybill
