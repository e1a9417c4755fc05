#include "faulty_disk.hpp"

#include <sqlite3.h>

#include <new>
#include <stdexcept>

namespace waybill::testing {
namespace {

DiskFault current_fault = DiskFault::none;

sqlite3_vfs* real_disk() {
  static sqlite3_vfs* const disk = sqlite3_vfs_find("unix");
  return disk;
}

// SQLite's view of a file, and behind it, in the same memory, the real one.
struct FaultyFile {
  sqlite3_file base;
  sqlite3_file* real;
};

sqlite3_file* real(sqlite3_file* file) {
  return reinterpret_cast<FaultyFile*>(file)->real;
}

// Passes a call of sqlite3_io_methods on to the real file.
template <auto Method, class... Arguments>
auto forward(sqlite3_file* file, Arguments... arguments) {
  return (real(file)->pMethods->*Method)(real(file), arguments...);
}

int faulty_write(sqlite3_file* file, const void* bytes, int size, sqlite3_int64 offset) {
  if (current_fault == DiskFault::full) return SQLITE_FULL;
  return real(file)->pMethods->xWrite(real(file), bytes, size, offset);
}

int faulty_sync(sqlite3_file* file, int flags) {
  if (current_fault == DiskFault::sync_fails) return SQLITE_IOERR_FSYNC;
  return real(file)->pMethods->xSync(real(file), flags);
}

using M = sqlite3_io_methods;
const sqlite3_io_methods kMethods = {
    3,
    [](sqlite3_file* f) { return forward<&M::xClose>(f); },
    [](sqlite3_file* f, void* b, int n, sqlite3_int64 o) { return forward<&M::xRead>(f, b, n, o); },
    faulty_write,
    [](sqlite3_file* f, sqlite3_int64 n) { return forward<&M::xTruncate>(f, n); },
    faulty_sync,
    [](sqlite3_file* f, sqlite3_int64* n) { return forward<&M::xFileSize>(f, n); },
    [](sqlite3_file* f, int n) { return forward<&M::xLock>(f, n); },
    [](sqlite3_file* f, int n) { return forward<&M::xUnlock>(f, n); },
    [](sqlite3_file* f, int* n) { return forward<&M::xCheckReservedLock>(f, n); },
    [](sqlite3_file* f, int n, void* p) { return forward<&M::xFileControl>(f, n, p); },
    [](sqlite3_file* f) { return forward<&M::xSectorSize>(f); },
    [](sqlite3_file* f) { return forward<&M::xDeviceCharacteristics>(f); },
    [](sqlite3_file* f, int i, int n, int e, void volatile** p) {
      return forward<&M::xShmMap>(f, i, n, e, p);
    },
    [](sqlite3_file* f, int o, int n, int g) { return forward<&M::xShmLock>(f, o, n, g); },
    [](sqlite3_file* f) { forward<&M::xShmBarrier>(f); },
    [](sqlite3_file* f, int d) { return forward<&M::xShmUnmap>(f, d); },
    [](sqlite3_file* f, sqlite3_int64 o, int n, void** p) {
      return forward<&M::xFetch>(f, o, n, p);
    },
    [](sqlite3_file* f, sqlite3_int64 o, void* p) { return forward<&M::xUnfetch>(f, o, p); },
};

int open_file(sqlite3_vfs*, const char* name, sqlite3_file* file, int flags, int* out_flags) {
  auto* faulty = new (file) FaultyFile{};
  faulty->real = reinterpret_cast<sqlite3_file*>(faulty + 1);
  const int code = real_disk()->xOpen(real_disk(), name, faulty->real, flags, out_flags);
  file->pMethods = faulty->real->pMethods == nullptr ? nullptr : &kMethods;
  return code;
}

sqlite3_vfs make_disk() {
  sqlite3_vfs disk = *real_disk();
  disk.zName = "faulty";
  disk.szOsFile += static_cast<int>(sizeof(FaultyFile));
  disk.pNext = nullptr;
  disk.xOpen = open_file;
  return disk;
}

sqlite3_vfs& faulty_disk() {
  static sqlite3_vfs disk = make_disk();
  return disk;
}

}  // namespace

FaultyDisk::FaultyDisk() {
  sqlite3_initialize();
  current_fault = DiskFault::none;
  if (sqlite3_vfs_register(&faulty_disk(), 1) != SQLITE_OK) throw std::runtime_error("no disk");
}

FaultyDisk::~FaultyDisk() {
  current_fault = DiskFault::none;
  sqlite3_vfs_register(real_disk(), 1);
  sqlite3_vfs_unregister(&faulty_disk());
}

void FaultyDisk::set(DiskFault fault) noexcept {
  current_fault = fault;
}

}  // namespace waybill::testing
