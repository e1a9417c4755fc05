#include "waybill/error.hpp"

namespace waybill {

const char* to_string(Remedy remedy) noexcept {
  switch (remedy) {
    case Remedy::retry:
      return "retry";
    case Remedy::look:
      return "look";
    case Remedy::fix_call:
      return "fix_call";
  }
  return "fix_call";
}

std::string Error::to_string() const {
  return hint.empty() ? text : text + " (" + hint + ")";
}

}  // namespace waybill
