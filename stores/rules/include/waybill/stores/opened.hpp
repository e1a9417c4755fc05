// A store is its options: each session connects by them. The functions make_…_session(options),
// which throw Failure, are found beside an adapter's Options.
#pragma once

#include <memory>
#include <utility>

#include "waybill/failure.hpp"
#include "waybill/inbox_store.hpp"
#include "waybill/message_store.hpp"

namespace waybill::store {

template <Dialect kDialect, class Options>
class OpenedMessageStore final : public MessageStore {
 public:
  explicit OpenedMessageStore(Options options) : options_(std::move(options)) {}

  Dialect dialect() const noexcept override { return kDialect; }
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

template <class Options>
class OpenedInboxStore final : public InboxStore {
 public:
  explicit OpenedInboxStore(Options options) : options_(std::move(options)) {}

  Result<std::unique_ptr<InboxSession>> open() override {
    return guarded([&] { return make_inbox_session(options_); });
  }

 private:
  const Options options_;
};

}  // namespace waybill::store
