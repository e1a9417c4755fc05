#include "roles_shop.hpp"

#include <stdexcept>

namespace waybill::e2e {
namespace {

constexpr const char* kProcesses[] = {"order_service", "points_service", "relay"};
constexpr const char* kRefused[] = {"denied", "42501"};

}  // namespace

RolesShop::RolesShop(const std::string& dispatch) : Shop(Host::own), dispatch_(dispatch) {
  // The tables' owner prepares everything, once.
  start_order_service(dispatch);
  start_points_service();
  stop("points_service");
  stop("order_service");
  set_creates(false);
  for (const std::string part : {"producer", "consumer"}) {
    const std::string database = part == "producer" ? "orders" : "points";
    const auto roles =
        order_points::test::run_program(std::string(WAYBILL) + " schema roles --part " + part +
                                        " --store " + store().url(database));
    if (roles.exit_code != 0) throw std::runtime_error(roles.output);
    sql(database, roles.output);
  }
  Arguments writer = {"waybill_writer", "waybill_confirm"};
  if (dispatch != "relay") writer.emplace_back("waybill_sender");
  server().create_login("shop_orders", writer);
  server().create_login("shop_relay", {"waybill_relay"});
  server().create_login("shop_points", {"waybill_consumer"});
  server().create_login("shop_console", {"waybill_console"});
  server().create_login("shop_cleaner", {"waybill_cleaner"});
  sql("orders", server().grant("SELECT, INSERT, UPDATE", "orders", "shop_orders"));
  sql("points", server().grant("SELECT, INSERT, UPDATE", "points", "shop_points"));
  sql("points", server().grant("SELECT, INSERT", "grants", "shop_points"));
  const std::string orders = store().url("orders");
  set_url("order_service", with_user(orders, "shop_orders"));
  set_url("relay", with_user(orders, "shop_relay"));
  set_url("waybill", with_user(orders, "shop_console"));
  set_url("points_service", with_user(store().url("points"), "shop_points"));
}

void RolesShop::open() {
  start_order_service(dispatch_);
  start_points_service();
  start_relay();
}

std::string RolesShop::refusals() const {
  std::string lines;
  for (const char* process : kProcesses) {
    const std::string log = log_of(process);
    for (const char* refused : kRefused) {
      const std::size_t at = log.find(refused);
      if (at == log.npos) continue;
      const std::size_t begin = log.rfind('\n', at) + 1;
      lines += std::string(process) + ": " + log.substr(begin, log.find('\n', at) - begin) + "\n";
    }
  }
  return lines;
}

std::unique_ptr<SqlClient> RolesShop::login(const std::string& name, const std::string& database) {
  return store().connect(with_user(store().url(database), name));
}

}  // namespace waybill::e2e
