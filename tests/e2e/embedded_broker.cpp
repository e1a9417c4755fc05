#include "shop_broker.hpp"

namespace waybill::e2e {
namespace {

class EmbeddedBroker final : public ShopBroker {
 public:
  explicit EmbeddedBroker(const std::string& folder) : file_(folder + "/queue.db") {}

  std::string address() const override { return file_; }
  std::string url() const override { return "queue://" + file_; }
  std::string destination(const std::string& name) override { return name; }
  std::string source(const std::string& name) override { return name; }
  std::string log_file() override { return file_; }

 private:
  const std::string file_;
};

}  // namespace

const bool kBrokerIsServer = false;

std::unique_ptr<ShopBroker> make_shop_broker(const std::string& folder) {
  return std::make_unique<EmbeddedBroker>(folder);
}

}  // namespace waybill::e2e
