#include "waybill/outbox/open_transactions.hpp"

namespace waybill {
namespace {

thread_local OpenTransaction* innermost = nullptr;

}  // namespace

OpenTransaction::OpenTransaction(const void* connection) noexcept
    : connection_(connection), outer_(innermost) {
  innermost = this;
}

OpenTransaction::~OpenTransaction() {
  // Usually the innermost; templates whose ends cross are unlinked from the middle.
  for (OpenTransaction** link = &innermost; *link != nullptr; link = &(*link)->outer_) {
    if (*link == this) {
      *link = outer_;
      return;
    }
  }
}

bool OpenTransaction::any() noexcept {
  return innermost != nullptr;
}

bool OpenTransaction::admits(const void* connection) noexcept {
  for (const OpenTransaction* open = innermost; open != nullptr; open = open->outer_) {
    if (open->connection_ == connection) return true;
  }
  return innermost == nullptr;
}

}  // namespace waybill
