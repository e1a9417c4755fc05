// What the exit code of every command tells a script.
#pragma once

#include "waybill/error.hpp"

namespace waybill::cli {

enum ExitCode : int {
  kExitOk = 0,
  kExitFindings = 1,     // it ran, and the answer is "no": findings, nothing found, rows left
  kExitUsage = 2,        // the call, the configuration or the schema must change first
  kExitUnavailable = 3,  // passing: try again
  kExitInDoubt = 4,      // it may or may not have happened: look first
};

[[nodiscard]] constexpr int exit_code(Remedy remedy) noexcept {
  switch (remedy) {
    case Remedy::retry:
      return kExitUnavailable;
    case Remedy::look:
      return kExitInDoubt;
    case Remedy::fix_call:
      break;
  }
  return kExitUsage;
}

}  // namespace waybill::cli
