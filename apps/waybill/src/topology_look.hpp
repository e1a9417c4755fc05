// What the destinations lack, told when the relay starts.
#pragma once

#include <stop_token>
#include <thread>

#include "config.hpp"
#include "waybill/log.hpp"
#include "waybill/message_store.hpp"

namespace waybill::cli {

// Looks once, in the background, whether what the routes' destinations need is there: a topic that
// is missing is an alarm before the first message waits for it.
// **Ownership**: borrows the store; owns its thread, which the destructor ends within seconds.
class TopologyLook {
 public:
  TopologyLook(const Config& config, MessageStore& store, LogSink log);

 private:
  void look(const std::stop_token& stop) const;

  const Config config_;
  MessageStore& store_;
  const LogSink log_;
  std::jthread thread_;
};

}  // namespace waybill::cli
