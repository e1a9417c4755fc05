#include "sessions.hpp"
#include "waybill/stores/sqlite.hpp"

namespace waybill::sqlite {
namespace {

class SqliteMessageStore final : public MessageStore {
 public:
  explicit SqliteMessageStore(Options options) : options_(std::move(options)) {}

  Dialect dialect() const noexcept override { return Dialect::sqlite; }
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

class SqliteInboxStore final : public InboxStore {
 public:
  explicit SqliteInboxStore(Options options) : options_(std::move(options)) {}
  Result<std::unique_ptr<InboxSession>> open() override {
    return guarded([&] { return make_inbox_session(options_); });
  }

 private:
  const Options options_;
};

}  // namespace

Result<std::unique_ptr<MessageStore>> open_message_store(const Options& options) {
  return guarded([&]() -> std::unique_ptr<MessageStore> {
    Connection connection(options, OpenMode::existing);
    verify(connection, options, SchemaPart::producer);
    return std::make_unique<SqliteMessageStore>(options);
  });
}

Result<std::unique_ptr<InboxStore>> open_inbox_store(const Options& options) {
  return guarded([&]() -> std::unique_ptr<InboxStore> {
    Connection connection(options, OpenMode::existing);
    verify(connection, options, SchemaPart::consumer);
    return std::make_unique<SqliteInboxStore>(options);
  });
}

}  // namespace waybill::sqlite
