-- The SENT rows of one type whose deadline passed, oldest first, behind a place in that order. ?1 type, ?2 id, ?3 most rows,
-- ?4 most bytes as in read_fresh, ?5 time, ?6 deadline in ms.
-- Index: that of (state, message_type, gmt_modified, id), then each row once by its primary key. MariaDB makes no range of a
-- row comparison; written out it does. A SENT row never has a delivery row: it left INIT by its first ack.
-- Concurrency: as read_fresh.
SELECT m.id, m.state, m.message_type, m.biz_type, m.identifier, {content}, {headers}, m.gmt_create,
       m.gmt_modified, NULL, m.gmt_modified, 1, 0, 0, NULL, m.content IS NULL
FROM (SELECT @waybill_bytes := 0) AS start
STRAIGHT_JOIN {table} AS m {by_overdue}
WHERE m.state = 'SENT' AND m.message_type = ?1
  AND (m.gmt_modified > ?5 OR (m.gmt_modified = ?5 AND m.id > ?2))
  AND m.gmt_modified <= utc_timestamp(6) - INTERVAL ?6 * 1000 MICROSECOND
ORDER BY m.gmt_modified, m.id
LIMIT ?3
