#include "sessions.hpp"
#include "waybill/stores/opened.hpp"
#include "waybill/stores/postgres.hpp"

namespace waybill::postgres {

Result<std::unique_ptr<MessageStore>> open_message_store(const Options& options) {
  return guarded([&]() -> std::unique_ptr<MessageStore> {
    Connection connection(options, Planner::by_index);
    verify(connection, options, SchemaPart::producer);
    return std::make_unique<store::OpenedMessageStore<Dialect::postgres, Options>>(options);
  });
}

Result<std::unique_ptr<InboxStore>> open_inbox_store(const Options& options) {
  return guarded([&]() -> std::unique_ptr<InboxStore> {
    Connection connection(options, Planner::by_index);
    verify(connection, options, SchemaPart::consumer);
    return std::make_unique<store::OpenedInboxStore<Options>>(options);
  });
}

}  // namespace waybill::postgres
