#include "topology_look.hpp"

#include <fmt/format.h>

#include "destinations.hpp"

namespace waybill::cli {
namespace {

constexpr Millis kPatience{3000};

// A broker that does not answer holds up the relay's end for so long.
void be_quick(Broker& broker) {
  std::visit(
      [](auto& options) {
        if constexpr (requires { options.admin_timeout; }) options.admin_timeout = kPatience;
      },
      broker.options);
}

}  // namespace

TopologyLook::TopologyLook(const Config& config, MessageStore& store, LogSink log)
    : config_(config),
      store_(store),
      log_(std::move(log)),
      thread_([this](const std::stop_token& stop) { look(stop); }) {}

void TopologyLook::look(const std::stop_token& stop) const {
  const auto session = store_.open_console();
  if (!session) return;  // the relay tells of the same trouble
  const auto names = needed_destinations(config_, **session);
  if (!names) return;
  for (const std::string& name : *names) {
    if (stop.stop_requested()) return;
    Result<Broker> broker = broker_of(config_, name);
    if (broker) be_quick(*broker);
    const Status status = broker ? check_topology(*broker) : Status(broker.error());
    if (status) continue;
    log_(status.error().remedy == Remedy::fix_call ? LogLevel::alarm : LogLevel::warning,
         fmt::format("destination '{}': {}", name, status.error().to_string()));
  }
}

}  // namespace waybill::cli
