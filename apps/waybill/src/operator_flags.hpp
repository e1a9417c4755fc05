// Who acts and why: the flags of every command that writes the audit table.
#pragma once

#include <string>

#include "flags.hpp"
#include "waybill/error.hpp"

namespace waybill::cli {

struct OperatorFlags {
  std::string reason;
  std::string operator_name;

  // --operator, else the USER variable, else the user's number.
  [[nodiscard]] std::string who() const;
};

// --reason (required) and --operator.
void add_operator_flags(CLI::App& command, OperatorFlags& flags);

// **Errors**: fix_call naming the flag.
[[nodiscard]] Status check(const OperatorFlags& flags);

}  // namespace waybill::cli
