// Ends a wait of another thread, now or the next one.
#pragma once

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <system_error>

namespace waybill::rabbitmq {

// **Thread safety**: wake() from any thread, the others confined to one.
class Waker {
 public:
  Waker() : descriptor_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
    if (descriptor_ < 0) throw std::system_error(errno, std::generic_category(), "eventfd");
  }
  ~Waker() { ::close(descriptor_); }
  Waker(const Waker&) = delete;
  Waker& operator=(const Waker&) = delete;

  void wake() noexcept {
    const std::uint64_t one = 1;
    static_cast<void>(!::write(descriptor_, &one, sizeof(one)));
  }

  // True once after wake().
  [[nodiscard]] bool take() noexcept {
    std::uint64_t count = 0;
    return ::read(descriptor_, &count, sizeof(count)) == sizeof(count);
  }

  [[nodiscard]] int descriptor() const noexcept { return descriptor_; }

 private:
  const int descriptor_;
};

}  // namespace waybill::rabbitmq
