#include "operator_flags.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>

#include "waybill/message.hpp"

namespace waybill::cli {
namespace {

constexpr std::size_t kReasonBytesMax = 512;
constexpr std::size_t kOperatorBytesMax = 64;

}  // namespace

std::string OperatorFlags::who() const {
  if (!operator_name.empty()) return operator_name;
  const char* user = std::getenv("USER");
  return user != nullptr && *user != '\0' ? user : fmt::format("uid {}", getuid());
}

void add_operator_flags(CLI::App& command, OperatorFlags& flags) {
  add_option(command, "--reason", flags.reason, "TEXT", "Why; kept in the audit table",
             Presence::required);
  add_option(command, "--operator", flags.operator_name, "NAME",
             "Who (default: the USER variable)");
}

Status check(const OperatorFlags& flags) {
  if (flags.reason.empty() || flags.reason.size() > kReasonBytesMax ||
      !is_storable_text(flags.reason)) {
    return Error{Remedy::fix_call,
                 fmt::format("--reason: must be text of 1 to {} bytes", kReasonBytesMax),
                 "say why; it is kept in the audit table"};
  }
  const std::string who = flags.who();
  if (who.size() > kOperatorBytesMax || !is_storable_text(who)) {
    return Error{Remedy::fix_call,
                 fmt::format("--operator: must be text of at most {} bytes", kOperatorBytesMax),
                 "give the name of the person who acts"};
  }
  return {};
}

}  // namespace waybill::cli
