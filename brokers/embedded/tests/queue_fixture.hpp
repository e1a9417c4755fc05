// A queue in a folder of its own, which vanishes with it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "waybill/brokers/embedded.hpp"
#include "waybill/testing/broker_conformance.hpp"
#include "waybill/testing/broker_driver.hpp"
#include "waybill/testing/scratch_folder.hpp"

struct sqlite3;

namespace waybill::testing {

class QueueFixture final : public BrokerFixture {
 public:
  QueueFixture();

  [[nodiscard]] std::string destination() const override { return "orders"; }
  [[nodiscard]] std::unique_ptr<Publisher> open_publisher() override;
  [[nodiscard]] std::unique_ptr<Subscriber> open_subscriber(const std::string& group,
                                                            const std::string& member) override;
  // It stays, and does nothing any more: the others see only that its leases stand still.
  void crash(std::unique_ptr<Subscriber> subscriber) override;

  [[nodiscard]] const std::string& folder() const noexcept { return folder_.path(); }
  // As another client of the file. Throws on trouble.
  void execute(const std::string& sql);
  [[nodiscard]] std::int64_t number(const std::string& sql);

  embedded::Options options;

 private:
  const ScratchFolder folder_;
  std::vector<std::unique_ptr<Subscriber>> crashed_;
};

// The file's lock is what a server's process is elsewhere.
class HarmableQueue final : public HarmableBroker {
 public:
  HarmableQueue();
  [[nodiscard]] std::string destination() const override { return queue_.destination(); }
  [[nodiscard]] std::unique_ptr<Publisher> open_publisher() override {
    return queue_.open_publisher();
  }
  [[nodiscard]] std::unique_ptr<Subscriber> open_subscriber(const std::string& group,
                                                            const std::string& member) override {
    return queue_.open_subscriber(group, member);
  }
  void crash(std::unique_ptr<Subscriber> subscriber) override {
    queue_.crash(std::move(subscriber));
  }
  void break_down() override { stand_still(); }
  void come_back() override { go_on(); }
  void come_back_empty() override;
  void stand_still() override;
  void go_on() override { holder_.reset(); }

 private:
  QueueFixture queue_;
  std::shared_ptr<sqlite3> holder_;  // owns a connection that holds the lock
};

// Polls until `count` outcomes came, or 10 s are over.
void poll_for(Publisher& publisher, OutcomeBook& book, std::size_t count);

// One receive() of at most `wait`; throws on an error.
[[nodiscard]] std::vector<Delivery> receive_once(Subscriber& subscriber, Millis wait,
                                                 std::size_t at_most = 1000);

}  // namespace waybill::testing
