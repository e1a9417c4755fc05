// A queue in a folder of its own, which vanishes with it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "waybill/brokers/embedded.hpp"
#include "waybill/testing/broker_conformance.hpp"
#include "waybill/testing/broker_driver.hpp"

namespace waybill::testing {

class QueueFixture final : public BrokerFixture {
 public:
  QueueFixture();
  ~QueueFixture() override;

  [[nodiscard]] std::string destination() const override { return "orders"; }
  [[nodiscard]] std::unique_ptr<Publisher> open_publisher() override;
  [[nodiscard]] std::unique_ptr<Subscriber> open_subscriber(const std::string& group,
                                                            const std::string& member) override;
  // It stays, and does nothing any more: the others see only that its leases stand still.
  void crash(std::unique_ptr<Subscriber> subscriber) override;

  [[nodiscard]] const std::string& folder() const noexcept { return folder_; }
  // As another client of the file. Throws on trouble.
  void execute(const std::string& sql);
  [[nodiscard]] std::int64_t number(const std::string& sql);

  embedded::Options options;

 private:
  std::string folder_;
  std::vector<std::unique_ptr<Subscriber>> crashed_;
};

// Polls until `count` outcomes came, or 10 s are over.
void poll_for(Publisher& publisher, OutcomeBook& book, std::size_t count);

// One receive() of at most `wait`; throws on an error.
[[nodiscard]] std::vector<Delivery> receive_once(Subscriber& subscriber, Millis wait,
                                                 std::size_t at_most = 1000);

}  // namespace waybill::testing
