// Whether somebody relays a table: looks at its lease until it moves.
#pragma once

#include <string_view>

#include "config.hpp"
#include "waybill/error.hpp"
#include "waybill/message_store.hpp"

namespace waybill::cli {

enum class RelayLife {
  alive,    // the lease moved: its holder renewed it, or somebody took it
  silent,   // it is held, but stood still for as long as a holder may
  none,     // nobody holds it
  unknown,  // nobody looked twice
};

[[nodiscard]] std::string_view to_string(RelayLife life) noexcept;

// How long a lease may stand still while its holder may publish: ttl less its margin.
[[nodiscard]] Millis patience_of(const Config& config);

// Looks again and again until the lease is not as in `first` any more, for at most `patience`.
[[nodiscard]] Result<RelayLife> watch_relay(ConsoleSession& session, const LeaseView& first,
                                            Millis patience);

}  // namespace waybill::cli
