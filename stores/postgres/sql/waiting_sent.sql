-- The SENT rows of one type, overdue or not, behind a place in the order of read_overdue. $1 type, $2 id, $3 time, $4 most
-- rows.
-- Index: {table}_overdue (partial) by row comparison. Concurrency: as read_fresh.
SELECT m.id, m.gmt_modified, 0, true
FROM {table} AS m
WHERE m.state = 'SENT' AND (m.message_type, m.gmt_modified, m.id) > ($1, $3, $2) AND m.message_type = $1
ORDER BY m.message_type, m.gmt_modified, m.id
LIMIT $4
