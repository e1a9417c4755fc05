// Which transactions the templates of the calling thread have open.
#pragma once

#include <memory>
#include <type_traits>

#include "waybill/transaction.hpp"

namespace waybill {

// What makes two handles the same connection: the C handle's own address, if there is one, else the
// object's.
template <class Handle>
[[nodiscard]] const void* connection_identity(const Handle& handle) noexcept {
  if constexpr (std::is_pointer_v<Handle>) {
    return handle;
  } else if constexpr (WrapsNativeHandle<Handle>) {
    return handle.native();
  } else {
    return std::addressof(handle);
  }
}

// One open transaction of a template, from after its BEGIN until its end is known.
// **Thread safety**: lives on one thread; the functions answer for the calling thread only.
class OpenTransaction {
 public:
  explicit OpenTransaction(const void* connection) noexcept;
  ~OpenTransaction();
  OpenTransaction(const OpenTransaction&) = delete;
  OpenTransaction& operator=(const OpenTransaction&) = delete;

  [[nodiscard]] static bool any() noexcept;

  // False when templates have transactions open on this thread, and none of them on `connection`.
  [[nodiscard]] static bool admits(const void* connection) noexcept;

 private:
  const void* connection_;
  OpenTransaction* outer_;
};

}  // namespace waybill
