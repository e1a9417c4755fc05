// Turns what the engine raises into lines for operators.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "waybill/clock.hpp"
#include "waybill/log.hpp"
#include "waybill/relay/engine.hpp"

namespace waybill::relay {

// **Guarantee**: a condition is told when it starts and when it heals; dead messages at most once
// in ten seconds a type, with their number. **Thread safety**: confined to one thread.
class AlarmLog {
 public:
  explicit AlarmLog(const LogSink& log) : log_(log) {}

  // `subject` is the name of the type or destination, `reason` the newest trouble with it.
  void tell(const RaiseAlarm& alarm, const std::string& subject, const std::string& reason,
            Steady now);
  void tell(LogLevel level, std::string_view text) const;

 private:
  void tell_dead(const RaiseAlarm& alarm, const std::string& subject, const std::string& reason,
                 Steady now);

  struct Dead {
    Steady told_at{};
    std::uint64_t untold = 0;
  };
  const LogSink& log_;
  std::map<std::uint32_t, Dead> dead_;  // by type
};

}  // namespace waybill::relay
