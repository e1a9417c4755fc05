-- The RETRY rows of one type, due or not, behind a place in the order of read_due.
-- Index: {table}_due (partial), then the message row by its primary key. Concurrency: as read_fresh.
SELECT d.id, d.next_attempt_at, d.epoch, d.first_accepted_at IS NOT NULL
FROM {table}_delivery AS d
JOIN {table} AS m ON m.id = d.id
WHERE d.message_type = ?1 AND (d.next_attempt_at, d.id) > (?3, ?2) AND d.next_attempt_at IS NOT NULL
  AND m.state = 'RETRY'
ORDER BY d.next_attempt_at, d.id
LIMIT ?4
