// The flags that choose messages, the same for listing them and for acting on them.
#pragma once

#include <string>

#include "flags.hpp"
#include "waybill/error.hpp"
#include "waybill/message_store.hpp"

namespace waybill::cli {

struct FilterFlags {
  MessageFilter filter;
  std::int64_t id = 0;
  std::string since;
  std::string until;

  // At least one flag was given.
  [[nodiscard]] bool restricts() const;
};

void add_filter_flags(CLI::App& command, FilterFlags& flags);

// The filter, its relative times resolved by the database's clock. **Errors**: fix_call naming the
// flag, or the session's.
[[nodiscard]] Result<MessageFilter> make_filter(const FilterFlags& flags, ConsoleSession& session);

// A hint for a state that waybill does not know, else empty.
[[nodiscard]] std::string doubt_about_state(const std::string& state);

}  // namespace waybill::cli
