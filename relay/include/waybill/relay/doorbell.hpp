// Wakes relays of other processes on the same machine after a commit.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace waybill::relay {

// Tells every listener of `name` that rows may have been committed. A datagram to an abstract unix
// socket: never blocks, never fails; without a listener nothing happens and the relay finds the
// rows by polling. Any local process can ring; a ring is a hint and carries nothing.
// **Thread safety**: from any thread.
void ring_doorbell(std::string_view name) noexcept;

// Listens for ring_doorbell(name). A few listeners of one name may live at the same time.
// **Ownership**: owns its socket and one thread, which calls `rung`; `rung` must not throw.
// **Errors**: without a free slot or without unix sockets it stays deaf: listening() is false.
class DoorbellListener {
 public:
  DoorbellListener(std::string_view name, std::function<void()> rung);
  ~DoorbellListener();
  DoorbellListener(const DoorbellListener&) = delete;
  DoorbellListener& operator=(const DoorbellListener&) = delete;

  [[nodiscard]] bool listening() const noexcept;

 private:
  class Socket;
  std::unique_ptr<Socket> socket_;
};

}  // namespace waybill::relay
