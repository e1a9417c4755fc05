// The confirmation endpoint as `waybill relay` serves it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "config.hpp"
#include "waybill/confirm/endpoint.hpp"
#include "waybill/http/server.hpp"
#include "waybill/log.hpp"
#include "waybill/message_store.hpp"

namespace waybill::cli {

// An HTTP server before a confirm::Endpoint whose keys can be exchanged while it runs.
// **Ownership**: borrows the store, which must outlive it. **Thread safety**: start, reload and
// destruction from one thread.
class ConfirmService {
 public:
  ConfirmService(MessageStore& store, const Config::Confirm& config, LogSink log);
  ~ConfirmService();

  // Reads the keys and listens; answers with the port. **Errors**: fix_call for keys or address.
  [[nodiscard]] Result<std::uint16_t> start();

  // Reads the keys again. When they are wrong, says so in the log and keeps the old ones.
  void reload();

 private:
  MessageStore& store_;
  const Config::Confirm config_;
  const LogSink log_;
  std::unique_ptr<confirm::Endpoint> endpoint_;
  std::unique_ptr<http::Server> server_;
};

}  // namespace waybill::cli
