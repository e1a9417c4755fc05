#include "simulated_broker.hpp"

#include <algorithm>

namespace waybill::testing {

void SimulatedBroker::append(const std::string& destination, const Copy& copy) {
  logs_[destination].copies.push_back(copy);
}

const Copy* SimulatedBroker::read(const std::string& destination, std::uint64_t& position) const {
  const auto found = logs_.find(destination);
  if (found == logs_.end()) return nullptr;
  const Log& log = found->second;
  position = std::max(position, log.begin);
  const std::uint64_t index = position - log.begin;
  return index < log.copies.size() ? &log.copies[index] : nullptr;
}

void SimulatedBroker::wipe(const std::string& destination) {
  Log& log = logs_[destination];
  log.begin += log.copies.size();
  log.copies.clear();
}

}  // namespace waybill::testing
