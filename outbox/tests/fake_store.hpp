// Just enough of a message store for the dispatcher: routes in memory, marks in the shop's table.
#pragma once

#include <atomic>
#include <mutex>
#include <string>
#include <vector>

#include "waybill/message_store.hpp"

namespace waybill::testing {

class FakeStore final : public MessageStore {
 public:
  FakeStore(std::string path, std::vector<Route> routes)
      : path_(std::move(path)), routes_(std::move(routes)) {}

  [[nodiscard]] Dialect dialect() const noexcept override { return Dialect::sqlite; }
  [[nodiscard]] Result<std::unique_ptr<RelaySession>> open_relay() override;
  [[nodiscard]] Result<std::unique_ptr<ConfirmSession>> open_confirm() override;
  [[nodiscard]] Result<std::unique_ptr<ConsoleSession>> open_console() override;

  void set_routes(std::vector<Route> routes);

  std::atomic<bool> unreachable{false};         // opening fails
  std::atomic<std::uint32_t> mark_failures{0};  // so many of the next marks answer an error
  std::atomic<std::uint32_t> marks{0};          // calls of mark()

 private:
  friend class FakeRelaySession;
  const std::string path_;
  std::mutex mutex_;
  std::vector<Route> routes_;
  std::int64_t version_ = 1;
};

}  // namespace waybill::testing
