#include "membership.hpp"

namespace waybill::embedded {

Membership::Membership(LogFile& file, Topic topic, std::string group, std::string name, Millis ttl)
    : file_(file), topic_(topic), group_(std::move(group)), name_(std::move(name)), ttl_(ttl) {}

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
  created_ = true;
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

// A member that joins is counted at once, one that stopped for ttl + ttl/4 no more, and is
// forgotten.
std::size_t Membership::count_live_members(Steady now) {
  file_
      .query(
          "INSERT INTO member (grp, topic, name, counter) VALUES (?1, ?2, ?3, 1)"
          " ON CONFLICT (grp, topic, name) DO UPDATE SET counter = counter + 1")
      .bind(group_)
      .bind(topic_.id)
      .bind(name_)
      .run();
  std::size_t live = 0;
  std::vector<std::string> gone;
  {
    Query query = file_.query("SELECT name, counter FROM member WHERE grp = ?1 AND topic = ?2");
    query.bind(group_).bind(topic_.id);
    while (query.step()) {
      const std::string name = query.text(0);
      const auto counter = static_cast<std::uint64_t>(query.number(1));
      if (name != name_ && stands_still(members_[name], 0, counter, now)) {
        gone.push_back(name);
      } else {
        ++live;
      }
    }
  }
  for (const std::string& name : gone) {
    members_.erase(name);
    file_.query("DELETE FROM member WHERE grp = ?1 AND topic = ?2 AND name = ?3")
        .bind(group_)
        .bind(topic_.id)
        .bind(name)
        .run();
  }
  return live;
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

void Membership::maintain(Steady now, std::map<std::uint32_t, Ownership>& owned) {
  std::map<std::uint32_t, Ownership> next = owned;
  sqlite::in_transaction(file_.database(), [&] {
    if (!created_) create_cursors();
    renew(next);
    const std::size_t members = std::max<std::size_t>(1, count_live_members(now));
    const std::size_t share = (topic_.partitions + members - 1) / members;
    while (next.size() > share) {
      const auto last = std::prev(next.end());
      release(last->first, last->second.fence);
      next.erase(last);
    }
    for (const CursorRow& row : read_cursors()) {
      const bool still = stands_still(cursors_[row.partition], row.fence, row.counter, now);
      if (next.contains(row.partition) || next.size() >= share) continue;
      if (!row.holder.empty() && row.holder != name_ && !still) continue;
      if (take(row)) next[row.partition] = {row.partition, row.fence + 1, row.cursor};
    }
  });
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
