#include "waybill/relay/doorbell.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <thread>
#include <utility>

namespace waybill::relay {
namespace {

// Listeners of one name: the relay that works and its standbys.
constexpr int kSlots = 4;

class FileDescriptor {
 public:
  explicit FileDescriptor(int fd = -1) noexcept : fd_(fd) {}
  ~FileDescriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  FileDescriptor(const FileDescriptor&) = delete;
  FileDescriptor& operator=(const FileDescriptor&) = delete;
  [[nodiscard]] int get() const noexcept { return fd_; }

 private:
  int fd_;
};

std::uint64_t hash_of(std::string_view name, std::uint64_t seed) noexcept {
  std::uint64_t hash = seed;
  for (const char c : name) {
    hash ^= static_cast<unsigned char>(c);
    hash *= 0x100000001B3U;
  }
  return hash;
}

struct Address {
  sockaddr_un content{};
  socklen_t length = 0;
};

// The abstract name "\0waybill-<128 bits of hash>-<slot>".
Address address_of(std::string_view name, int slot) noexcept {
  constexpr std::string_view kDigits = "0123456789abcdef";
  constexpr std::string_view kPrefix = "waybill-";
  Address address;
  address.content.sun_family = AF_UNIX;
  char* out = address.content.sun_path;
  *out++ = '\0';
  std::memcpy(out, kPrefix.data(), kPrefix.size());
  out += kPrefix.size();
  for (const std::uint64_t seed : {0xCBF29CE484222325U, 0x9E3779B97F4A7C15U}) {
    const std::uint64_t hash = hash_of(name, seed);
    for (unsigned shift = 0; shift < 64; shift += 4) *out++ = kDigits[(hash >> shift) & 15U];
  }
  *out++ = '-';
  *out++ = static_cast<char>('0' + slot);
  address.length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) +
                                          static_cast<std::size_t>(out - address.content.sun_path));
  return address;
}

int open_socket() noexcept {
  return ::socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

}  // namespace

void ring_doorbell(std::string_view name) noexcept {
  static const FileDescriptor ringer(open_socket());
  if (ringer.get() < 0) return;
  for (int slot = 0; slot < kSlots; ++slot) {
    const Address address = address_of(name, slot);
    const char ring = 'r';
    // Nobody there, or so many rings waiting that one more tells nothing: both are fine.
    (void)::sendto(ringer.get(), &ring, 1, MSG_DONTWAIT | MSG_NOSIGNAL,
                   reinterpret_cast<const sockaddr*>(&address.content), address.length);
  }
}

class DoorbellListener::Socket {
 public:
  Socket(std::string_view name, std::function<void()> rung)
      : socket_(open_socket()),
        stop_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
        rung_(std::move(rung)) {
    for (int slot = 0; slot < kSlots && !bound_; ++slot) {
      const Address address = address_of(name, slot);
      bound_ = ::bind(socket_.get(), reinterpret_cast<const sockaddr*>(&address.content),
                      address.length) == 0;
    }
    if (bound_ && stop_.get() >= 0) thread_ = std::jthread([this] { listen(); });
  }

  ~Socket() {
    const std::uint64_t one = 1;
    if (thread_.joinable()) (void)!::write(stop_.get(), &one, sizeof one);
  }

  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;

  [[nodiscard]] bool bound() const noexcept { return thread_.joinable(); }

 private:
  void listen() {
    for (;;) {
      std::array<pollfd, 2> fds{{{socket_.get(), POLLIN, 0}, {stop_.get(), POLLIN, 0}}};
      if (::poll(fds.data(), fds.size(), -1) < 0) continue;
      if (fds[1].revents != 0) return;
      bool rings = false;
      std::array<char, 8> waste{};
      while (::recv(socket_.get(), waste.data(), waste.size(), MSG_DONTWAIT) >= 0) rings = true;
      if (rings) rung_();
    }
  }

  const FileDescriptor socket_;
  const FileDescriptor stop_;
  const std::function<void()> rung_;
  bool bound_ = false;
  std::jthread thread_;  // last: it uses the members above
};

DoorbellListener::DoorbellListener(std::string_view name, std::function<void()> rung)
    : socket_(std::make_unique<Socket>(name, std::move(rung))) {}

DoorbellListener::~DoorbellListener() = default;

bool DoorbellListener::listening() const noexcept {
  return socket_->bound();
}

}  // namespace waybill::relay
