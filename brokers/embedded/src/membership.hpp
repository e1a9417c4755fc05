// Which partitions a member of a group owns: leases with fences, judged by the observer's own
// steady clock.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "log_file.hpp"

namespace waybill::embedded {

struct Ownership {
  std::uint32_t partition = 0;
  std::uint64_t fence = 0;
  std::int64_t cursor = 0;  // the last settled position when it was taken
};

// **Thread safety**: confined to the subscriber's thread.
class Membership {
 public:
  Membership(LogFile& file, Topic topic, std::string group, std::string name, Millis ttl);

  // True when maintain() should be called.
  [[nodiscard]] bool is_due(Steady now) const noexcept { return now >= due_at_; }

  // Renews what is owned, gives away what exceeds this member's share, takes what is free. `owned`
  // is brought up to date: lost partitions vanish, new ones are added. Throws sqlite::Failure.
  void maintain(Steady now, std::map<std::uint32_t, Ownership>& owned);

  // Frees everything at once for the others.
  void leave(const std::map<std::uint32_t, Ownership>& owned);

 private:
  // What was last seen of a counter, and since when it stands there.
  struct Watched {
    std::uint64_t fence = 0;
    std::uint64_t counter = 0;
    Steady since{};
  };
  struct CursorRow {
    std::uint32_t partition = 0;
    std::int64_t cursor = 0;
    std::uint64_t fence = 0;
    std::uint64_t counter = 0;
    std::string holder;
  };

  void create_cursors();
  [[nodiscard]] std::vector<CursorRow> read_cursors();
  [[nodiscard]] std::size_t count_live_members(Steady now);
  [[nodiscard]] bool stands_still(Watched& watched, std::uint64_t fence, std::uint64_t counter,
                                  Steady now) const;
  void renew(std::map<std::uint32_t, Ownership>& owned);
  void release(std::uint32_t partition, std::uint64_t fence);
  [[nodiscard]] bool take(const CursorRow& row);

  LogFile& file_;
  const Topic topic_;
  const std::string group_;
  const std::string name_;
  const Millis ttl_;
  Steady due_at_{};
  bool created_ = false;
  std::map<std::uint32_t, Watched> cursors_;
  std::map<std::string, Watched> members_;
};

}  // namespace waybill::embedded
