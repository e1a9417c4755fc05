// A shop on a server of its own, where each process has a login of its own with no more than the
// roles that `waybill schema roles` gives to its kind.
#pragma once

#include <string>

#include "shop.hpp"

namespace waybill::e2e {

class RolesShop : public Shop {
 public:
  // Tables, roles and logins are there; nothing runs. The logins: shop_orders, shop_relay,
  // shop_points, shop_console.
  explicit RolesShop(const std::string& dispatch);

  // Order service, points service and a relay.
  void open();
  // What the process was refused for want of a right, as its log tells; empty when nothing was.
  [[nodiscard]] std::string refusals() const;
  // A client with this login.
  [[nodiscard]] std::unique_ptr<SqlClient> login(const std::string& name,
                                                 const std::string& database);

 private:
  const std::string dispatch_;
};

}  // namespace waybill::e2e
