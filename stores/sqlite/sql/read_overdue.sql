-- The SENT rows of one type whose deadline passed, oldest first, behind a place in that order.
-- Index: {table}_overdue (partial). A SENT row never has a delivery row: it left INIT by its first ack.
-- Concurrency: as read_fresh.
SELECT m.id, m.state, m.message_type, m.biz_type, m.identifier, m.content, {headers}, m.gmt_create, m.gmt_modified,
       NULL, m.gmt_modified, 1, 0, 0, NULL
FROM {table} AS m
WHERE m.state = 'SENT' AND m.message_type = ?1 AND (m.gmt_modified, m.id) > (?4, ?2)
  AND m.gmt_modified <= strftime('%Y-%m-%d %H:%M:%f', 'now', ?5)
ORDER BY m.gmt_modified, m.id
LIMIT ?3
