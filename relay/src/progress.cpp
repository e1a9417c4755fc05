// How far the consumers of a type have come, all together.
#include <algorithm>

#include "waybill/relay/engine.hpp"

namespace waybill::relay {

ProgressIs progress_of(TypeId type, std::string_view name, const Route* route,
                       const std::optional<std::vector<ConsumerProgress>>& known,
                       std::chrono::seconds retention_default) {
  ProgressIs all;
  all.type = type;
  all.recorded = known.has_value();
  all.retention = retention_default;
  if (route == nullptr || !known) return all;
  bool first = true;
  for (const std::string& consumer : route->consumers) {
    const auto found = std::find_if(known->begin(), known->end(), [&](const auto& one) {
      return one.consumer == consumer && one.message_type == name;
    });
    DatabaseTime confirmed_sent{};
    std::chrono::seconds retention = retention_default;
    if (found != known->end()) {
      confirmed_sent = found->confirmed_sent;
      if (found->retention.count() > 0) retention = found->retention;
    }
    all.confirmed_sent = first ? confirmed_sent : std::min(all.confirmed_sent, confirmed_sent);
    all.retention = first ? retention : std::min(all.retention, retention);
    first = false;
  }
  return all;
}

}  // namespace waybill::relay
