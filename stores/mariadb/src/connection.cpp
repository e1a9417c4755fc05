#include "connection.hpp"

#include "waybill/stores/rules.hpp"

namespace waybill::mariadb {
namespace {

constexpr std::string_view kFence =
    "\n  AND EXISTS (SELECT 1 FROM {table}_lease"
    " WHERE id = 1 AND fence = {held} AND holder = {holder})";

// Of a lane's row: NULL when the rows before it have ?4 bytes. A variable of the session adds up
// the lengths; a window over them would take a temporary table and a second look-up of each row.
constexpr std::string_view kContent =
    "IF((@waybill_bytes := @waybill_bytes + COALESCE(OCTET_LENGTH(m.content), 0))"
    " - COALESCE(OCTET_LENGTH(m.content), 0) < ?4, m.content, NULL)";

Settings settings_of(const Options& options) {
  store::check_table_name(options.table);
  Settings settings;
  settings.url = options.url;
  settings.connect_timeout = options.connect_timeout;
  settings.answer_timeout = options.answer_timeout;
  settings.lock_timeout = options.lock_timeout;
  return settings;
}

void replace(std::string& text, std::string_view from, std::string_view to) {
  for (std::size_t at = text.find(from); at != text.npos; at = text.find(from, at + to.size())) {
    text.replace(at, from.size(), to);
  }
}

// What an arrow writes, as literals: so a statement's text and its plan are one arrow's.
void fill_in_arrow(std::string& text, MessageState from, Cause cause) {
  const auto to = next_state(from, cause);
  const store::DeliveryChange change = store::delivery_change(cause);
  replace(text, "{from}", to_string(from));
  if (to) replace(text, "{to}", to_string(*to));
  replace(text, "{accepted}", change.accepted ? "1" : "0");
  replace(text, "{fresh}", change.fresh ? "1" : "0");
  replace(text, "{sends}", std::to_string(change.sends));
  replace(text, "{refusals}", std::to_string(change.refusals));
  replace(text, "{epochs}", std::to_string(change.epochs));
}

}  // namespace

Connection::Connection(const Options& options)
    : database_(settings_of(options)), table_(options.table) {}

const std::string& Connection::sql(std::string_view constant, MessageState from, Cause cause,
                                   bool fenced) {
  const Key key{constant.data(), from, cause, fenced};
  const auto known = statements_.find(key);
  if (known != statements_.end()) return known->second;
  std::string text(constant);
  fill_in_arrow(text, from, cause);
  replace(text, "{fence}", fenced ? kFence : "");
  replace(text, "{content}", kContent);
  replace(text, "{by_id}", shape_.by_id);
  replace(text, "{by_identity}", shape_.by_identity);
  replace(text, "{by_fresh}", shape_.by_fresh);
  replace(text, "{by_overdue}", shape_.by_overdue);
  return statements_.emplace(key, store::fill_in(text, table_, shape_.has_headers)).first->second;
}

}  // namespace waybill::mariadb
