// The broker between a shop's services. A test program is linked with exactly one of
// embedded_broker.cpp and server_broker.cpp: the tests are the same for every broker.
#pragma once

#include <memory>
#include <string>

namespace waybill::e2e {

// A constant, so that suites may be chosen by it before main().
extern const bool kBrokerIsServer;

class ShopBroker {
 public:
  virtual ~ShopBroker() = default;
  // As the example's programs are told of it, and as the waybill program is.
  [[nodiscard]] virtual std::string address() const = 0;
  [[nodiscard]] virtual std::string url() const = 0;
  // Makes ready what a route of this shop may name; answers its name on the broker.
  [[nodiscard]] virtual std::string destination(const std::string& name) = 0;
  // Where consumers read what is sent there.
  [[nodiscard]] virtual std::string source(const std::string& name) = 0;
  // A SQLite file whose table `log` has a row (position, message_id) for every copy that the broker
  // got, up to now.
  [[nodiscard]] virtual std::string log_file() = 0;
};

// **Ownership**: `folder` outlives the broker.
[[nodiscard]] std::unique_ptr<ShopBroker> make_shop_broker(const std::string& folder);

}  // namespace waybill::e2e
