#include "retention.hpp"

#include <algorithm>

namespace waybill::embedded {
namespace {

constexpr std::int64_t kBatch = 1000;
constexpr auto kGap = Millis(20);  // other writers of the file come first

// Positions grow with time: only the head of the log is looked at.
constexpr const char* kIsDue = R"sql(
SELECT published_at < (CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER) - ?1) * 1000
FROM log ORDER BY position LIMIT 1)sql";
constexpr const char* kDelete = R"sql(
DELETE FROM log
WHERE published_at < (CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER) - ?1) * 1000
  AND position < (SELECT MIN(position) FROM log) + ?2)sql";

}  // namespace

void Retention::clean_up(LogFile& file, Steady now) {
  if (now < due_at_) return;
  const std::int64_t age_ms = std::chrono::duration_cast<Millis>(age_max_).count();
  // Looks before it asks for the write lock.
  const auto is_due = [&] {
    Query oldest = file.query(kIsDue);
    return oldest.bind(age_ms).step() && oldest.number(0) == 1;
  };
  const auto deleted = guarded([&]() -> std::int64_t {
    if (!is_due()) return 0;
    return sqlite::in_transaction(
        file.database(), [&] { return file.query(kDelete).bind(age_ms).bind(kBatch).run(); });
  });
  const bool more = deleted && *deleted > 0;
  due_at_ = now + (more ? std::min(kGap, interval_) : interval_);
}

}  // namespace waybill::embedded
