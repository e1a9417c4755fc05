// Tells the death of a process at once: the kernel gives up its file locks.
#pragma once

#include <string>

namespace waybill::embedded {

// A locked file beside the log, one per member. A member whose file can be locked by another one is
// dead; one whose file is locked may still stand still, which only its lease tells.
// **Errors**: without the file (a full disk) the death is noticed by the lease, later.
// **Thread safety**: confined to one thread.
class AliveFile {
 public:
  AliveFile(const std::string& log_path, const std::string& member);
  ~AliveFile();
  AliveFile(const AliveFile&) = delete;
  AliveFile& operator=(const AliveFile&) = delete;

  // True when the member's file is there and its owner is gone. False when nobody can say.
  [[nodiscard]] static bool is_dead(const std::string& log_path, const std::string& member);
  // What a dead member left behind.
  static void remove(const std::string& log_path, const std::string& member);

 private:
  std::string path_;
  int file_ = -1;
};

}  // namespace waybill::embedded
