#include "rows.hpp"

#include "sql.hpp"
#include "waybill/stores/rules.hpp"

namespace waybill::mariadb {

MessageRow read_row(const Rows& rows, std::size_t at) {
  MessageRow row;
  row.id = rows.number(at, 0);
  store::set_state(row, rows.view(at, 1));
  row.message_type = rows.text(at, 2);
  row.biz_type = rows.text(at, 3);
  row.identifier = rows.text(at, 4);
  row.content = rows.text(at, 5);
  row.gmt_create = rows.time(at, 7);
  row.gmt_modified = rows.time(at, 8);
  row.next_attempt_at = rows.time(at, 9);
  if (!rows.is_null(at, 10)) row.first_accepted_at = rows.time(at, 10);
  row.sends = static_cast<std::uint32_t>(rows.number(at, 11));
  row.refusals = static_cast<std::uint32_t>(rows.number(at, 12));
  row.epoch = static_cast<std::uint32_t>(rows.number(at, 13));
  row.reason = rows.text(at, 14);
  store::decode(row, rows.view(at, 6));
  return row;
}

std::vector<Route> read_routes(Connection& connection) {
  const Rows rows = connection.read(sql::kRoutes);
  std::vector<Route> routes;
  for (std::size_t at = 0; at < rows.size(); ++at) {
    routes.push_back(store::make_route(rows.text(at, 0), rows.text(at, 1), rows.view(at, 2),
                                       Millis(rows.number(at, 3)), rows.view(at, 4),
                                       rows.view(at, 5), rows.number(at, 6)));
  }
  return routes;
}

LeaseView read_lease(Connection& connection) {
  const Rows rows = connection.read(sql::kLease);
  if (rows.size() == 0) throw store::empty_lease_table();
  return {static_cast<std::uint64_t>(rows.number(0, 0)),
          static_cast<std::uint64_t>(rows.number(0, 1)), rows.text(0, 2)};
}

std::vector<ConsumerProgress> read_consumers(Connection& connection) {
  const Rows rows = connection.read(sql::kConsumerProgress);
  std::vector<ConsumerProgress> consumers;
  for (std::size_t at = 0; at < rows.size(); ++at) {
    consumers.push_back({rows.text(at, 0), rows.text(at, 1), rows.time(at, 2),
                         std::chrono::seconds(rows.number(at, 3))});
  }
  return consumers;
}

}  // namespace waybill::mariadb
