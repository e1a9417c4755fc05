// A disk under SQLite that fails when it is told to.
#pragma once

namespace waybill::testing {

enum class DiskFault {
  none,
  full,        // writing answers that there is no space left
  sync_fails,  // syncing fails, so that nobody knows what is on the disk
};

// While it lives, every file that this process opens by SQLite is on the faulty disk.
// **Thread safety**: one at a time.
class FaultyDisk {
 public:
  FaultyDisk();
  ~FaultyDisk();
  FaultyDisk(const FaultyDisk&) = delete;
  FaultyDisk& operator=(const FaultyDisk&) = delete;

  void set(DiskFault fault) noexcept;
};

}  // namespace waybill::testing
