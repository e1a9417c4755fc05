// What every consumer does, whatever its database driver; users take <waybill/inbox/consumer.hpp>.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "waybill/clock.hpp"
#include "waybill/confirmation.hpp"
#include "waybill/error.hpp"
#include "waybill/inbox_store.hpp"
#include "waybill/lasting_trouble.hpp"
#include "waybill/log.hpp"
#include "waybill/subscriber.hpp"
#include "waybill/transaction.hpp"

namespace waybill::inbox {

inline constexpr std::size_t kReasonBytesMax = 512;

// What a handler says about one message. An exception instead means: try again.
struct HandlerResult {
  Verdict verdict = Verdict::done;
  std::string reason;  // with `failed`: goes to the producer and the operators, at most 512 bytes

  // Commit what the handler wrote.
  [[nodiscard]] static HandlerResult done() { return {}; }
  // Refused for good: rolled back, parked with the reason, confirmed as failed. Not retried.
  [[nodiscard]] static HandlerResult failed(std::string reason) {
    return {Verdict::failed, std::move(reason)};
  }
  // Not now: rolled back and given back to the broker, which delivers it again after `later_wait`.
  // As often as the handler says so; the producer is told nothing meanwhile.
  [[nodiscard]] static HandlerResult later() { return {Verdict::later, {}}; }
};

// How a consumer works.
struct ConsumerOptions {
  std::string consumer;            // name in the inbox and the route; 1…64 of [A-Za-z0-9._-]
  std::uint32_t attempts_max = 3;  // times a throwing handler is tried in place, then parked; >= 1
  Millis retry_wait{50};           // before the second try, doubled for each further one
  Millis retry_wait_max{1000};  // longest wait between two tries, also of an unreachable database
  std::uint32_t unavailable_max = 10;  // tries while the database refuses to begin, insert or
                                       // commit; then the message goes back to the broker; >= 1
  // A message that ends the process (a crash in the handler) is recognised after restarts: of the
  // first `watched_max` messages of a consumer those are watched that were sent before its start,
  // which costs two small writes a batch. One that was on its way when the process ended is tried
  // alone, and parked when crashes_max of these tries never ended. 0 = no watch.
  std::uint32_t crashes_max = 5;
  std::uint32_t watched_max = 1000;
  // Called before the next transaction when the last could not be begun, written or committed: the
  // place to open the caller's connection anew if it was lost (PQreset). What it throws counts as
  // an unreachable database. Empty: nobody does, and a lost connection stays lost.
  std::function<void()> reconnect;
  Millis later_wait{500};       // pause after a `later` or a message given back
  std::size_t batch_max = 100;  // deliveries taken from the broker at once; 1…1000
  // All deliveries of one batch in one transaction, so that one fsync serves many. When one of them
  // is not simply done, the whole batch is rolled back and handled one by one: a handler may then
  // run twice for a message, of which the first run left nothing in the database. So it is when a
  // handler ends the transaction itself, which none may (on MariaDB, DDL does): PostgreSQL refuses
  // its COMMIT, elsewhere it keeps only what was done before it, each inbox row with its effect.
  bool batch_in_one_transaction = false;
  Millis receive_wait{1000};  // longest wait of one receive; a stop ends it earlier
  std::function<void()>
      ring;  // called after commits, to wake the confirmation sender; may be empty
  LogSink log;
};

// Totals since the consumer was made.
struct ConsumerStats {
  std::uint64_t done = 0;        // handled and committed
  std::uint64_t duplicates = 0;  // were in the inbox already
  std::uint64_t parked = 0;      // refused for good
  std::uint64_t given_back = 0;  // settled as `again`
};

// The consumer's own connection as the loop sees it: one local transaction and the handler in it.
// Every function may throw the driver's error. **Thread safety**: confined to one thread.
class LocalTransaction {
 public:
  virtual ~LocalTransaction() = default;
  [[nodiscard]] virtual Dialect dialect() = 0;
  virtual void begin() = 0;
  [[nodiscard]] virtual Inserted insert_inbox_row(const Statement& statement) = 0;
  // Both at once, in one round trip where the driver can.
  [[nodiscard]] virtual Inserted begin_and_insert_inbox_row(const Statement& statement) = 0;
  // The same with a statement for several rows.
  [[nodiscard]] virtual Inserted begin_and_insert_inbox_rows(const Statement& statement) = 0;
  [[nodiscard]] virtual std::vector<TextRow> select(const Statement& statement) = 0;
  [[nodiscard]] virtual HandlerResult handle(const Delivery& delivery) = 0;
  [[nodiscard]] virtual TransactionStatus status() = 0;
  [[nodiscard]] virtual CommitAnswer commit() = 0;
  virtual void rollback() = 0;
};

// Receive, inbox row and handler in one transaction, commit, settle, ring.
// **Guarantee**, **Errors**: as Consumer. **Ownership**: borrows all three.
// **Thread safety**: run and run_once from one thread; stats() from any.
class ConsumerLoop {
 public:
  ConsumerLoop(LocalTransaction& transaction, InboxStore& store, Subscriber& subscriber,
               ConsumerOptions options);

  [[nodiscard]] Status run(std::stop_token stop);
  [[nodiscard]] Result<std::size_t> run_once(std::stop_token stop, Millis wait);
  [[nodiscard]] ConsumerStats stats() const noexcept;

 private:
  enum class Fate { ack, again };
  enum class Step { done, duplicate, failed, later, threw, unavailable, in_doubt };
  struct Attempt {
    Step step = Step::unavailable;
    std::string reason;
  };
  using SessionCall = std::function<Status(InboxSession&)>;

  [[nodiscard]] Status check_options() const;
  void process(const std::vector<Delivery>& batch, std::stop_token stop);
  [[nodiscard]] bool handle_together(const std::vector<Delivery>& batch, std::vector<Fate>& fates,
                                     std::stop_token stop);
  [[nodiscard]] bool write_and_handle(const std::vector<Delivery>& batch,
                                      std::vector<bool>& is_new);
  void handle_one_by_one(const std::vector<Delivery>& batch, std::vector<Fate>& fates,
                         std::stop_token stop);
  [[nodiscard]] std::vector<std::string_view> to_watch(const std::vector<Delivery>& batch);
  [[nodiscard]] bool note(const std::vector<std::string_view>& watched, std::stop_token stop);
  [[nodiscard]] Fate handle_suspect(const Delivery& delivery, std::stop_token stop);
  [[nodiscard]] Fate handle(const Delivery& delivery, std::stop_token stop);
  [[nodiscard]] Attempt attempt(const Delivery& delivery);
  void reconnect_if_needed();
  [[nodiscard]] bool sees_rows(std::span<const std::string_view> message_ids);
  [[nodiscard]] Attempt begin_and_handle(const Delivery& delivery);
  [[nodiscard]] Attempt run_handler(const Delivery& delivery);
  [[nodiscard]] Attempt commit();
  [[nodiscard]] TransactionStatus status() noexcept;
  void roll_back() noexcept;
  [[nodiscard]] Fate confirm_again(const Delivery& delivery, std::stop_token stop);
  [[nodiscard]] Fate park(const Delivery& delivery, std::string_view reason, std::uint32_t attempts,
                          std::stop_token stop);
  [[nodiscard]] Status with_session(const SessionCall& call, std::stop_token stop);
  void settle(const std::vector<Delivery>& batch, const std::vector<Fate>& fates,
              std::stop_token stop);
  void settle(std::span<const std::uint64_t> tokens, Settle how, std::stop_token stop);
  void ring() const;
  [[nodiscard]] Millis wait_after(std::uint32_t failures) const noexcept;
  void log(LogLevel level, const std::string& text) const;

  LocalTransaction& transaction_;
  InboxStore& store_;
  Subscriber& subscriber_;
  ConsumerOptions options_;
  std::unique_ptr<InboxSession> session_;
  std::uint32_t receive_failures_ = 0;
  LastingTrouble receive_trouble_;
  bool may_be_lost_ = false;                     // the caller's connection
  const DatabaseTime started_at_;                // by the host's clock
  std::uint32_t seen_ = 0;                       // messages since the start, up to watched_max
  std::set<std::string, std::less<>> suspects_;  // of the batch: noted before, and never taken back
  std::atomic<std::uint64_t> done_{0};
  std::atomic<std::uint64_t> duplicates_{0};
  std::atomic<std::uint64_t> parked_{0};
  std::atomic<std::uint64_t> given_back_{0};
};

}  // namespace waybill::inbox
