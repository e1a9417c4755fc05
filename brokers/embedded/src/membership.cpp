#include "membership.hpp"

#include <set>

namespace waybill::embedded {
namespace {

constexpr auto kLookInterval = Millis(50);

}  // namespace

Membership::Membership(LogFile& file, Topic topic, std::string group, std::string name, Millis ttl)
    : file_(file),
      topic_(topic),
      group_(std::move(group)),
      name_(std::move(name)),
      ttl_(ttl),
      alive_(file.path(), name_) {}

bool Membership::is_due(Steady now) {
  if (now >= due_at_) return true;
  if (now < look_at_) return false;
  look_at_ = now + kLookInterval;
  Query holders = file_.query("SELECT DISTINCT holder FROM cursor WHERE grp = ?1 AND topic = ?2");
  holders.bind(group_).bind(topic_.id);
  while (holders.step()) {
    const std::string holder = holders.text(0);
    if (!holder.empty() && holder != name_ && AliveFile::is_dead(file_.path(), holder)) return true;
  }
  return false;
}

void Membership::create_cursors() {
  for (std::uint32_t partition = 0; partition < topic_.partitions; ++partition) {
    file_
        .query(
            "INSERT INTO cursor (grp, topic, partition, cursor, fence, counter, holder)"
            " VALUES (?1, ?2, ?3, 0, 0, 0, '') ON CONFLICT DO NOTHING")
        .bind(group_)
        .bind(topic_.id)
        .bind(std::int64_t{partition})
        .run();
  }
}

std::vector<Membership::CursorRow> Membership::read_cursors() {
  std::vector<CursorRow> rows;
  Query query = file_.query(
      "SELECT partition, cursor, fence, counter, holder FROM cursor WHERE grp = ?1 AND topic = ?2 "
      "ORDER BY partition");
  query.bind(group_).bind(topic_.id);
  while (query.step()) {
    rows.push_back({static_cast<std::uint32_t>(query.number(0)), query.number(1),
                    static_cast<std::uint64_t>(query.number(2)),
                    static_cast<std::uint64_t>(query.number(3)), query.text(4)});
  }
  return rows;
}

bool Membership::stands_still(Watched& watched, std::uint64_t fence, std::uint64_t counter,
                              Steady now) const {
  if (watched.since == Steady{} || watched.fence != fence || watched.counter != counter) {
    watched = {fence, counter, now};
    return false;
  }
  return now - watched.since > ttl_ + ttl_ / 4;
}

void Membership::announce() {
  file_
      .query(
          "INSERT INTO member (grp, topic, name, joined, counter) VALUES (?1, ?2, ?3,"
          " (SELECT COALESCE(MAX(joined), 0) + 1 FROM member WHERE grp = ?1 AND topic = ?2), 1)"
          " ON CONFLICT (grp, topic, name) DO UPDATE SET counter = counter + 1")
      .bind(group_)
      .bind(topic_.id)
      .bind(name_)
      .run();
}

// A member that joins is counted at once, one that stopped for ttl + ttl/4 no more, and is
// forgotten. The longest members take what does not divide evenly, so that a newcomer moves as few
// partitions as can be.
std::size_t Membership::share_among_members(Steady now) {
  std::size_t live = 0;
  std::size_t rank = 0;
  std::map<std::string, Watched> seen;
  std::vector<std::string> gone;
  {
    Query query = file_.query(
        "SELECT name, counter FROM member WHERE grp = ?1 AND topic = ?2 ORDER BY joined");
    query.bind(group_).bind(topic_.id);
    while (query.step()) {
      const std::string name = query.text(0);
      Watched& watched = seen[name] = members_[name];
      const bool still =
          stands_still(watched, 0, static_cast<std::uint64_t>(query.number(1)), now) ||
          (name != name_ && AliveFile::is_dead(file_.path(), name));
      if (name == name_) rank = live;
      if (name != name_ && still) {
        gone.push_back(name);
      } else {
        ++live;
      }
    }
  }
  for (const std::string& name : gone) {
    seen.erase(name);
    file_.query("DELETE FROM member WHERE grp = ?1 AND topic = ?2 AND name = ?3")
        .bind(group_)
        .bind(topic_.id)
        .bind(name)
        .run();
  }
  members_ = std::move(seen);
  return topic_.partitions / live + (rank < topic_.partitions % live ? 1 : 0);
}

void Membership::give_away(std::size_t share, Steady now, std::map<std::uint32_t, Ownership>& owned,
                           const std::function<bool(std::uint32_t)>& is_busy) {
  std::size_t surplus = owned.size() > share ? owned.size() - share : 0;
  std::map<std::uint32_t, Steady> leaving;
  std::vector<std::uint32_t> released;
  for (auto entry = owned.rbegin(); surplus > 0; ++entry, --surplus) {
    const std::uint32_t partition = entry->first;
    const auto known = leaving_.find(partition);
    const Steady since = known == leaving_.end() ? now : known->second;
    if (is_busy(partition) && now - since <= ttl_) {
      leaving.emplace(partition, since);
    } else {
      release(partition, entry->second.fence);
      released.push_back(partition);
    }
  }
  for (const std::uint32_t partition : released) owned.erase(partition);
  leaving_ = std::move(leaving);
}

void Membership::renew(std::map<std::uint32_t, Ownership>& owned) {
  for (auto entry = owned.begin(); entry != owned.end();) {
    const std::int64_t renewed =
        file_
            .query(
                "UPDATE cursor SET counter = counter + 1"
                " WHERE grp = ?1 AND topic = ?2 AND partition = ?3 AND fence = ?4")
            .bind(group_)
            .bind(topic_.id)
            .bind(std::int64_t{entry->first})
            .bind(static_cast<std::int64_t>(entry->second.fence))
            .run();
    entry = renewed == 1 ? std::next(entry) : owned.erase(entry);
  }
}

void Membership::release(std::uint32_t partition, std::uint64_t fence) {
  file_
      .query(
          "UPDATE cursor SET holder = '', fence = fence + 1"
          " WHERE grp = ?1 AND topic = ?2 AND partition = ?3 AND fence = ?4")
      .bind(group_)
      .bind(topic_.id)
      .bind(std::int64_t{partition})
      .bind(static_cast<std::int64_t>(fence))
      .run();
}

bool Membership::holds_any(const std::string& name) {
  Query query = file_.query("SELECT 1 FROM cursor WHERE holder = ?1 LIMIT 1");
  return query.bind(name).step();
}

bool Membership::take(const CursorRow& row) {
  return file_
             .query(
                 "UPDATE cursor SET holder = ?1, fence = fence + 1, counter = 0"
                 " WHERE grp = ?2 AND topic = ?3 AND partition = ?4 AND fence = ?5 AND counter = "
                 "?6")
             .bind(name_)
             .bind(group_)
             .bind(topic_.id)
             .bind(std::int64_t{row.partition})
             .bind(static_cast<std::int64_t>(row.fence))
             .bind(static_cast<std::int64_t>(row.counter))
             .run() == 1;
}

void Membership::maintain(Steady now, std::map<std::uint32_t, Ownership>& owned,
                          const std::function<bool(std::uint32_t)>& is_busy) {
  std::map<std::uint32_t, Ownership> next = owned;
  std::set<std::string> dead;
  sqlite::in_transaction(file_.database(), [&] {
    if (!created_) create_cursors();
    renew(next);
    announce();
    const std::size_t share = share_among_members(now);
    give_away(share, now, next, is_busy);
    for (const CursorRow& row : read_cursors()) {
      const bool still = stands_still(cursors_[row.partition], row.fence, row.counter, now);
      if (next.contains(row.partition) || next.size() >= share) continue;
      const bool held = !row.holder.empty() && row.holder != name_;
      const bool is_dead = held && AliveFile::is_dead(file_.path(), row.holder);
      if (is_dead) dead.insert(row.holder);
      if (held && !still && !is_dead) continue;
      if (take(row)) next[row.partition] = {row.partition, row.fence + 1, row.cursor};
    }
  });
  for (const std::string& name : dead) {
    // Whoever takes the rest of its partitions still wants to know.
    if (!holds_any(name)) AliveFile::remove(file_.path(), name);
  }
  created_ = true;
  owned = std::move(next);
  due_at_ = now + ttl_ / 4;
}

void Membership::leave(const std::map<std::uint32_t, Ownership>& owned) {
  sqlite::in_transaction(file_.database(), [&] {
    for (const auto& [partition, ownership] : owned) release(partition, ownership.fence);
    file_.query("DELETE FROM member WHERE grp = ?1 AND topic = ?2 AND name = ?3")
        .bind(group_)
        .bind(topic_.id)
        .bind(name_)
        .run();
  });
}

}  // namespace waybill::embedded
