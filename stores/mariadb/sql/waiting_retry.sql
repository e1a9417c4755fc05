-- The RETRY rows of one type, due or not, behind a place in the order of read_due. ?1 type, ?2 id, ?3 time, ?4 most rows.
-- Index: {table}_due, then the message row by its primary key. Concurrency: as read_fresh.
SELECT d.id, d.next_attempt_at, d.epoch, d.first_accepted_at IS NOT NULL
FROM {table}_delivery AS d FORCE INDEX ({table}_due)
STRAIGHT_JOIN {table} AS m {by_id} ON m.id = d.id
WHERE d.message_type = ?1 AND (d.next_attempt_at > ?3 OR (d.next_attempt_at = ?3 AND d.id > ?2)) AND m.state = 'RETRY'
ORDER BY d.next_attempt_at, d.id
LIMIT ?4
