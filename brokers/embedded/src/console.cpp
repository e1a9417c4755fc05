#include <algorithm>

#include "log_file.hpp"

namespace waybill::embedded {

Result<std::vector<StoredMessage>> peek(const Options& options, std::string_view topic,
                                        std::int64_t after_position, std::uint32_t rows_max) {
  return guarded([&] {
    LogFile file(options, sqlite::OpenMode::existing);
    const auto found = file.find_topic(topic);
    if (!found) {
      throw Failure{{Remedy::fix_call, "no topic '" + std::string(topic) + "' in " + options.path,
                     "see `waybill queue topics`"}};
    }
    std::vector<StoredMessage> messages;
    Query query = file.query(
        "SELECT position, partition, message_id, message_type, key, body, traceparent, epoch, "
        "sent_at, published_at"
        " FROM log WHERE topic = ?1 AND position > ?2 ORDER BY position LIMIT ?3");
    query.bind(found->id).bind(after_position).bind(std::int64_t{std::clamp(rows_max, 1U, 1000U)});
    while (query.step()) {
      StoredMessage stored;
      stored.position = query.number(0);
      stored.partition = static_cast<std::uint32_t>(query.number(1));
      stored.message.message_id = query.text(2);
      stored.message.message_type = query.text(3);
      stored.message.key = query.text(4);
      stored.message.body = query.text(5);
      stored.message.traceparent = query.text(6);
      stored.message.epoch = static_cast<std::uint32_t>(query.number(7));
      stored.message.sent_at = from_micros(query.number(8));
      stored.published_at = from_micros(query.number(9));
      messages.push_back(std::move(stored));
    }
    return messages;
  });
}

Result<std::vector<TopicStatus>> topics(const Options& options) {
  return guarded([&] {
    LogFile file(options, sqlite::OpenMode::existing);
    std::vector<TopicStatus> topics;
    Query names = file.query(
        "SELECT t.id, t.name, t.partitions, (SELECT COUNT(*) FROM log WHERE topic = t.id) FROM "
        "topic AS t ORDER BY name");
    while (names.step()) {
      TopicStatus status;
      status.topic = names.text(1);
      status.partitions = static_cast<std::uint32_t>(names.number(2));
      status.messages = names.number(3);
      Query groups = file.query(
          "SELECT c.grp, SUM((SELECT COUNT(*) FROM log AS l WHERE l.topic = c.topic AND "
          "l.partition = c.partition AND l.position > c.cursor)),"
          " MIN((SELECT l.published_at FROM log AS l WHERE l.topic = c.topic AND "
          "l.partition = c.partition AND l.position > c.cursor ORDER BY l.position LIMIT 1))"
          " FROM cursor AS c WHERE c.topic = ?1 GROUP BY c.grp ORDER BY c.grp");
      groups.bind(names.number(0));
      while (groups.step()) {
        GroupStatus group{groups.text(0), groups.number(1), std::nullopt};
        if (!groups.is_null(2)) group.oldest_unread = from_micros(groups.number(2));
        status.groups.push_back(std::move(group));
      }
      topics.push_back(std::move(status));
    }
    return topics;
  });
}

}  // namespace waybill::embedded
