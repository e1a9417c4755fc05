// sqlite.scan_growth: what a scan of the relay costs beside millions of rows that it does not want.
#include <string>

#include "bench.hpp"
#include "shop.hpp"
#include "store.hpp"
#include "waybill/stores/sqlite.hpp"
#include "waybill/testing/must.hpp"

namespace waybill::bench {
namespace {

constexpr int kScans = 400;
constexpr int kRounds = 9;

struct Rows {
  std::int64_t done, sent, retry;
};

// Besides them 100 fresh rows, at the end.
void fill(const std::string& path, const Rows& rows) {
  create_shop(path);
  const Database db = open_database(path);
  const auto insert = [&](const char* state, std::int64_t count) {
    run(db.get(), ("INSERT INTO local_message(message_type, biz_type, identifier, content, state)"
                   " WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < " +
                   std::to_string(count) + ") SELECT 'order.placed', 'order', '" + state +
                   "-' || i, '{}', '" + state + "' FROM n")
                      .c_str());
  };
  run(db.get(), "PRAGMA cache_size = -262144; BEGIN");
  insert("SUCCESS", rows.done);
  insert("SENT", rows.sent);
  insert("RETRY", rows.retry);
  run(db.get(),
      "INSERT INTO local_message_delivery(id, message_type, next_attempt_at, sends, refusals)"
      " SELECT id, message_type, strftime('%Y-%m-%d %H:%M:%f', 'now', '+1 day'), 1, 1"
      " FROM local_message WHERE state = 'RETRY'");
  insert("INIT", 100);
  run(db.get(), "COMMIT; PRAGMA wal_checkpoint(TRUNCATE)");
}

std::unique_ptr<RelaySession> open_session(const std::string& path) {
  sqlite::Options options;
  options.path = path;
  return testing::must(testing::must(sqlite::open_message_store(options))->open_relay());
}

std::vector<Measurement> growth() {
  const Scratch scratch;
  fill(scratch.file("large.db"), {5'000'000, 1'000'000, 200'000});
  fill(scratch.file("small.db"), {9'000, 700, 200});
  const auto large = open_session(scratch.file("large.db"));
  const auto small = open_session(scratch.file("small.db"));
  return {compare_scans("sqlite.scan_growth", "limit 1.05, a table of 10 000 rows", kScans, kRounds,
                        *large, *small)};
}

}  // namespace

std::vector<Benchmark> scan_benchmarks() {
  return {{{"sqlite.scan_growth"}, growth}};
}

}  // namespace waybill::bench
