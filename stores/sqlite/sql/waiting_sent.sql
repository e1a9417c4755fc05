-- The SENT rows of one type, overdue or not, behind a place in the order of read_overdue.
-- Index: {table}_overdue (partial). Concurrency: as read_fresh.
SELECT m.id, m.gmt_modified, 0, 1
FROM {table} AS m
WHERE m.state = 'SENT' AND m.message_type = ?1 AND (m.gmt_modified, m.id) > (?3, ?2)
ORDER BY m.gmt_modified, m.id
LIMIT ?4
