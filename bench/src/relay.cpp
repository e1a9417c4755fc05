// sqlite.drain, relay.rss, sqlite.writer_wait: the relay between a SQLite table and the embedded
// log.
#include <algorithm>
#include <chrono>
#include <functional>
#include <stdexcept>
#include <string>
#include <thread>

#include "bench.hpp"
#include "programs.hpp"
#include "shop.hpp"
#include "waybill/brokers/embedded.hpp"
#include "waybill/drivers/sqlite_busy_handler.hpp"
#include "waybill/relay/runner.hpp"
#include "waybill/stores/sqlite.hpp"
#include "waybill/testing/must.hpp"

namespace waybill::bench {
namespace {

using std::chrono::steady_clock;

constexpr std::int64_t kDrainRows = 200'000;
constexpr std::int64_t kRssRows = 1'000'000;
constexpr std::int64_t kWaitRows = 1'000'000;
constexpr std::int64_t kBatch = 1000;
constexpr int kDrainRounds = 7;
constexpr int kWaitRounds = 3;
constexpr int kTransactions = 400;
constexpr Millis kPace{5};
constexpr double kRssLimit = 32;         // MiB
constexpr double kWriterWaitLimit = 20;  // ms

double seconds_since(steady_clock::time_point start) {
  return std::chrono::duration<double>(steady_clock::now() - start).count();
}

// One type "order.placed", closed by the ack, with `rows` fresh messages of 256 bytes.
void fill(const std::string& path, std::int64_t rows) {
  create_shop(path);
  const Database db = open_database(path);
  run(db.get(), ("BEGIN; INSERT INTO local_message(message_type, biz_type, identifier, content)"
                 " WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < " +
                 std::to_string(rows) +
                 ") SELECT 'order.placed', 'order', 'A-' || i, printf('%.256c', 'x') FROM n;"
                 "INSERT INTO waybill_route(message_type, destination, version)"
                 " VALUES('order.placed', 'orders', 1); COMMIT")
                    .c_str());
}

OpenPublisher publishers(const std::string& queue) {
  return [queue](std::string_view) {
    embedded::Options options;
    options.path = queue;
    return embedded::open_publisher(options);
  };
}

std::unique_ptr<MessageStore> open_store(const std::string& path) {
  sqlite::Options options;
  options.path = path;
  return testing::must(sqlite::open_message_store(options));
}

// Rows a second that the relay publishes and marks.
double drain(const Scratch& scratch, const std::string& name) {
  const std::string path = scratch.file(name + ".db");
  fill(path, kDrainRows);
  const auto store = open_store(path);
  const OpenPublisher open = publishers(scratch.file(name + "-queue.db"));
  const SteadyClock clock;
  relay::Runner runner(*store, open, clock);
  const auto started = steady_clock::now();
  if (const Status status = runner.start(); !status) throw std::runtime_error(status.error().text);
  while (runner.stats().marked < static_cast<std::uint64_t>(kDrainRows)) {
    if (seconds_since(started) > 120) throw std::runtime_error("the relay does not get on");
    std::this_thread::sleep_for(Millis(1));
  }
  const double took = seconds_since(started);
  runner.stop(Millis(2000));
  return static_cast<double>(kDrainRows) / took;
}

double in_batches(sqlite3* db, const std::function<void(std::int64_t)>& write) {
  Prepared begin(db, "BEGIN IMMEDIATE");
  Prepared commit(db, "COMMIT");
  const auto started = steady_clock::now();
  for (std::int64_t first = 1; first <= kDrainRows; first += kBatch) {
    begin.execute();
    for (std::int64_t id = first; id < first + kBatch; ++id) write(id);
    commit.execute();
  }
  return static_cast<double>(kDrainRows) / seconds_since(started);
}

// What the machine can do at most: the slower of inserting the same rows into the log and of
// updating them by id in the table, by bare SQL, 1000 a transaction.
double bare(const Scratch& scratch, const std::string& name) {
  const std::string queue = scratch.file(name + "-queue.db");
  static_cast<void>(publishers(queue)("orders"));
  const Database log = open_database(queue);
  Prepared insert(log.get(),
                  "INSERT INTO log(topic, partition, message_id, message_type, key, body,"
                  " traceparent, epoch, sent_at, published_at)"
                  " VALUES(1, ?1 % 4, ?2, 'order.placed', '', ?3, '', 0, 0, 0)");
  const std::string body(256, 'x');
  const double inserts = in_batches(log.get(), [&](std::int64_t id) {
    const std::string message_id = "order/order.placed/A-" + std::to_string(id);
    insert.bind(1, id).bind(2, message_id).bind(3, body).execute();
  });
  const std::string path = scratch.file(name + ".db");
  fill(path, kDrainRows);
  const Database table = open_database(path);
  Prepared update(table.get(),
                  "UPDATE local_message SET state = 'SUCCESS',"
                  " gmt_modified = strftime('%Y-%m-%d %H:%M:%f', 'now')"
                  " WHERE id = ? AND state = 'INIT'");
  const double updates =
      in_batches(table.get(), [&](std::int64_t id) { update.bind(1, id).execute(); });
  return std::min(inserts, updates);
}

std::vector<Measurement> drain_ratio() {
  const Scratch scratch;
  int round = 0;
  return {compare(
      "sqlite.drain", "rows/s", "min(bare batched insert, bare batched update)", kDrainRounds,
      [&] { return drain(scratch, "ours" + std::to_string(round++)); },
      [&] { return bare(scratch, "bare" + std::to_string(round++)); })};
}

// The largest resident memory of `waybill relay --once`, in MiB.
std::vector<Measurement> rss() {
  const Scratch scratch;
  fill(scratch.file("orders.db"), kRssRows);
  const double peak =
      peak_memory({WAYBILL, "relay", "--once", "--store", "sqlite://" + scratch.file("orders.db"),
                   "--queue", "queue://" + scratch.file("queue.db")},
                  scratch.file("relay.log"));
  return {within("relay.rss", "MiB", "draining 1 000 000 rows", kRssLimit, {peak})};
}

// Milliseconds that a user's transaction takes from BEGIN IMMEDIATE to after COMMIT, at p99.
double time_of_writers(sqlite3* db, std::int64_t& next_order) {
  OrderWriter orders(db);
  Prepared begin(db, "BEGIN IMMEDIATE");
  Prepared commit(db, "COMMIT");
  std::vector<double> times;
  for (int i = 0; i < kTransactions; ++i) {
    const auto started = steady_clock::now();
    begin.execute();
    orders.write(next_order++);
    commit.execute();
    times.push_back(seconds_since(started) * 1000);
    std::this_thread::sleep_for(kPace);
  }
  return percentile(std::move(times), 0.99);
}

struct WriterTimes {
  double alone;
  double beside;
};

WriterTimes writers_round() {
  const Scratch scratch;
  const std::string path = scratch.file("orders.db");
  fill(path, kWaitRows);
  const Database db = open_database(path);
  sqlite::install_busy_handler(db.get(), Millis(5000));
  std::int64_t next_order = 1;
  WriterTimes times{};
  times.alone = time_of_writers(db.get(), next_order);
  const auto store = open_store(path);
  const OpenPublisher open = publishers(scratch.file("queue.db"));
  const SteadyClock clock;
  relay::Runner runner(*store, open, clock);
  if (const Status started = runner.start(); !started) {
    throw std::runtime_error(started.error().text);
  }
  while (runner.stats().marked == 0) std::this_thread::sleep_for(Millis(1));
  times.beside = time_of_writers(db.get(), next_order);
  const bool drained = runner.stats().marked >= static_cast<std::uint64_t>(kWaitRows);
  runner.stop(Millis(2000));
  if (drained) throw std::runtime_error("the relay was done before the writer was");
  return times;
}

std::vector<Measurement> writer_wait() {
  std::vector<double> waits;
  std::vector<double> alone;
  for (int round = 0; round < kWaitRounds; ++round) {
    const WriterTimes times = writers_round();
    alone.push_back(times.alone);
    waits.push_back(std::max(0.0, times.beside - times.alone));
  }
  return {within("sqlite.writer_wait", "ms",
                 "p99 beyond the same alone, which takes " +
                     std::to_string(percentile(alone, 0.5)).substr(0, 4) + " ms",
                 kWriterWaitLimit, std::move(waits))};
}

}  // namespace

std::vector<Benchmark> relay_benchmarks() {
  return {
      {{"sqlite.drain"}, drain_ratio}, {{"relay.rss"}, rss}, {{"sqlite.writer_wait"}, writer_wait}};
}

}  // namespace waybill::bench
