#include "alive_file.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <functional>

namespace waybill::embedded {
namespace {

std::string path_of(const std::string& log_path, const std::string& member) {
  constexpr char kHex[] = "0123456789abcdef";
  std::string text = log_path + "-alive-";
  std::size_t hash = std::hash<std::string>()(member);
  for (std::size_t i = 0; i < 2 * sizeof hash; ++i, hash >>= 4U) text += kHex[hash & 0xFU];
  return text;
}

}  // namespace

AliveFile::AliveFile(const std::string& log_path, const std::string& member)
    : path_(path_of(log_path, member)),
      file_(::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600)) {
  // Shared: whoever asks tries to lock it exclusively, for a moment.
  if (file_ >= 0) static_cast<void>(::flock(file_, LOCK_SH));
}

AliveFile::~AliveFile() {
  if (file_ < 0) return;
  ::unlink(path_.c_str());
  ::close(file_);
}

bool AliveFile::is_dead(const std::string& log_path, const std::string& member) {
  const std::string path = path_of(log_path, member);
  const int file = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
  if (file < 0) return false;
  const bool dead = ::flock(file, LOCK_EX | LOCK_NB) == 0;
  ::close(file);
  return dead;
}

void AliveFile::remove(const std::string& log_path, const std::string& member) {
  ::unlink(path_of(log_path, member).c_str());
}

}  // namespace waybill::embedded
