#include "sessions.hpp"
#include "waybill/stores/mariadb.hpp"

namespace waybill::mariadb {
namespace {

class MariadbMessageStore final : public MessageStore {
 public:
  explicit MariadbMessageStore(Options options) : options_(std::move(options)) {}

  Dialect dialect() const noexcept override { return Dialect::mariadb; }
  Result<std::unique_ptr<RelaySession>> open_relay() override {
    return guarded([&] { return make_relay_session(options_); });
  }
  Result<std::unique_ptr<ConfirmSession>> open_confirm() override {
    return guarded([&] { return make_confirm_session(options_); });
  }
  Result<std::unique_ptr<ConsoleSession>> open_console() override {
    return guarded([&] { return make_console_session(options_); });
  }

 private:
  const Options options_;
};

class MariadbInboxStore final : public InboxStore {
 public:
  explicit MariadbInboxStore(Options options) : options_(std::move(options)) {}
  Result<std::unique_ptr<InboxSession>> open() override {
    return guarded([&] { return make_inbox_session(options_); });
  }

 private:
  const Options options_;
};

}  // namespace

Result<std::unique_ptr<MessageStore>> open_message_store(const Options& options) {
  return guarded([&]() -> std::unique_ptr<MessageStore> {
    Connection connection(options);
    verify(connection, options, SchemaPart::producer);
    return std::make_unique<MariadbMessageStore>(options);
  });
}

Result<std::unique_ptr<InboxStore>> open_inbox_store(const Options& options) {
  return guarded([&]() -> std::unique_ptr<InboxStore> {
    Connection connection(options);
    verify(connection, options, SchemaPart::consumer);
    return std::make_unique<MariadbInboxStore>(options);
  });
}

}  // namespace waybill::mariadb
