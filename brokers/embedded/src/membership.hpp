// Which partitions a member of a group owns: leases with fences, judged by the observer's own
// steady clock.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "alive_file.hpp"
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

  // True when maintain() should be called: it is time, or another member has died.
  // Throws Failure.
  [[nodiscard]] bool is_due(Steady now);

  // Renews what is owned, gives away what exceeds this member's share, takes what is free. `owned`
  // is brought up to date: lost partitions vanish, new ones are added. A surplus partition for
  // which `is_busy` is kept for up to a ttl, so that what was delivered can be settled. Throws
  // Failure.
  void maintain(Steady now, std::map<std::uint32_t, Ownership>& owned,
                const std::function<bool(std::uint32_t)>& is_busy);
  // True when the partition is about to be given away: nothing new should be delivered from it.
  [[nodiscard]] bool is_leaving(std::uint32_t partition) const {
    return leaving_.contains(partition);
  }
  // Makes the next is_due() true.
  void hurry() noexcept { due_at_ = {}; }

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
  void announce();
  [[nodiscard]] std::size_t share_among_members(Steady now);
  void give_away(std::size_t share, Steady now, std::map<std::uint32_t, Ownership>& owned,
                 const std::function<bool(std::uint32_t)>& is_busy);
  [[nodiscard]] bool stands_still(Watched& watched, std::uint64_t fence, std::uint64_t counter,
                                  Steady now) const;
  void renew(std::map<std::uint32_t, Ownership>& owned);
  void release(std::uint32_t partition, std::uint64_t fence);
  [[nodiscard]] bool take(const CursorRow& row);
  [[nodiscard]] bool holds_any(const std::string& name);

  LogFile& file_;
  const Topic topic_;
  const std::string group_;
  const std::string name_;
  const Millis ttl_;
  const AliveFile alive_;
  Steady due_at_{};
  Steady look_at_{};  // for deaths
  bool created_ = false;
  std::map<std::uint32_t, Steady> leaving_;  // since when
  std::map<std::uint32_t, Watched> cursors_;
  std::map<std::string, Watched> members_;
};

}  // namespace waybill::embedded
