-- The SENT rows of one type, overdue or not, behind a place in the order of read_overdue. ?1 type, ?2 id, ?3 time, ?4 most
-- rows.
-- Index: that of (state, message_type, gmt_modified, id). Concurrency: as read_fresh.
SELECT m.id, m.gmt_modified, 0, 1
FROM {table} AS m {by_overdue}
WHERE m.state = 'SENT' AND m.message_type = ?1 AND (m.gmt_modified > ?3 OR (m.gmt_modified = ?3 AND m.id > ?2))
ORDER BY m.gmt_modified, m.id
LIMIT ?4
