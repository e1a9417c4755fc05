// The confirmation endpoint as `waybill relay` serves it, by HTTP and by a reply topic.
#pragma once

#include <memory>

#include "config.hpp"
#include "waybill/confirm/endpoint.hpp"
#include "waybill/confirm/reply_topic.hpp"
#include "waybill/http/server.hpp"
#include "waybill/log.hpp"
#include "waybill/message_store.hpp"

namespace waybill::cli {

// What is configured of an HTTP server and a reader of the reply topic, before a confirm::Endpoint
// whose keys can be exchanged while it runs.
// **Ownership**: borrows the store, which must outlive it. **Thread safety**: start, reload and
// destruction from one thread.
class ConfirmService {
 public:
  ConfirmService(MessageStore& store, const Config& config, LogSink log);
  ~ConfirmService();

  // Reads the keys, listens and reads. **Errors**: fix_call for keys, address or reply topic.
  [[nodiscard]] Status start();

  // Reads the keys again. When they are wrong, says so in the log and keeps the old ones.
  void reload();

 private:
  [[nodiscard]] Status listen();
  [[nodiscard]] Status read_replies();

  MessageStore& store_;
  const Config config_;
  const LogSink log_;
  std::unique_ptr<confirm::Endpoint> endpoint_;
  std::unique_ptr<http::Server> server_;
  std::unique_ptr<confirm::ReplyReader> reader_;
};

}  // namespace waybill::cli
