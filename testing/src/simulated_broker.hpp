// Logs, one per destination, that can be wiped.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <string>

#include "waybill/message_store.hpp"

namespace waybill::testing {

// One published copy of a row.
struct Copy {
  std::int64_t row = 0;
  std::string message_id;
  std::string type;
  std::uint32_t epoch = 0;
  DatabaseTime sent_at{};
};

class SimulatedBroker {
 public:
  void append(const std::string& destination, const Copy& copy);
  // The copy at a position at or behind `position`; null when there is none yet. `position` is
  // moved to it.
  [[nodiscard]] const Copy* read(const std::string& destination, std::uint64_t& position) const;
  // Loses everything that it has acknowledged.
  void wipe(const std::string& destination);

 private:
  struct Log {
    std::uint64_t begin = 0;
    std::deque<Copy> copies;
  };
  std::map<std::string, Log> logs_;
};

}  // namespace waybill::testing
