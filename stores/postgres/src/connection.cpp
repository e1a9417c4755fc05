#include "connection.hpp"

#include "waybill/stores/rules.hpp"

namespace waybill::postgres {
namespace {

// Each of our statements looks rows up by an index and reads them in its order. Nothing that stale
// statistics say may turn one into a scan, a sort or a hash of a lane with a million rows.
constexpr std::string_view kByIndex =
    "SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off; "
    "SET enable_bitmapscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off; "
    "SET jit = off";

constexpr std::string_view kFence =
    "\n  AND EXISTS (SELECT 1 FROM {table}_lease WHERE id = 1 AND fence = $1 AND holder = $2)";

Settings settings_of(const Options& options, Planner planner) {
  store::check_table_name(options.table);
  Settings settings;
  settings.url = options.url;
  settings.connect_timeout = options.connect_timeout;
  settings.answer_timeout = options.answer_timeout;
  settings.lock_timeout = options.lock_timeout;
  if (planner == Planner::by_index) settings.session = kByIndex;
  return settings;
}

void replace(std::string& text, std::string_view from, std::string_view to) {
  for (std::size_t at = text.find(from); at != text.npos; at = text.find(from, at + to.size())) {
    text.replace(at, from.size(), to);
  }
}

}  // namespace

Connection::Connection(const Options& options, Planner planner)
    : database_(settings_of(options, planner)), table_(options.table) {}

const std::string& Connection::sql(std::string_view constant) {
  return sql(constant, MessageState::INIT, MessageState::INIT, false);
}

const std::string& Connection::sql(std::string_view constant, MessageState from, MessageState to,
                                   bool fenced) {
  const Key key{constant.data(), from, to, fenced};
  const auto known = statements_.find(key);
  if (known != statements_.end()) return known->second;
  std::string text(constant);
  replace(text, "{from}", to_string(from));
  replace(text, "{to}", to_string(to));
  replace(text, "{fence}", fenced ? kFence : "");
  return statements_.emplace(key, store::fill_in(text, table_, has_headers_)).first->second;
}

}  // namespace waybill::postgres
