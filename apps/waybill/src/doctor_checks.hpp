// What can be wrong with a table and its queue: pure judgements over what was read.
#pragma once

#include <string>
#include <vector>

#include "relay_life.hpp"
#include "waybill/clock.hpp"
#include "waybill/message_store.hpp"
#include "waybill/route.hpp"

namespace waybill::cli {

using Finding = StoreFinding;

// From where on something is worth a finding.
struct DoctorLimits {
  Millis age_max = std::chrono::minutes(10);  // of the oldest unfinished message
  std::int64_t lag_max = 10'000;              // messages behind a group's cursor
  std::int64_t uncleaned_max = 10'000;        // finished messages older than 7 days
};

// What the store answered.
struct TableFacts {
  StoreStatus status;
  RelayLife relay = RelayLife::unknown;
  std::vector<Route> routes;
  std::vector<std::string> types;  // that have rows to publish
  std::int64_t lowest_id = 1;      // of any row
};

[[nodiscard]] std::vector<Finding> check_table(const TableFacts& facts, const DoctorLimits& limits);

// A consumer group of a topic; `unread_for` is the age of the first message that it has not read.
struct QueueFacts {
  std::string topic;
  std::int64_t messages = 0;
  struct Group {
    std::string name;
    std::int64_t lag = 0;
    Millis unread_for{0};
  };
  std::vector<Group> groups;
};

[[nodiscard]] std::vector<Finding> check_queue(const std::vector<QueueFacts>& topics,
                                               Millis retention, const DoctorLimits& limits);

}  // namespace waybill::cli
