-- The RETRY rows of one type whose next attempt came, earliest first, behind a place in that order.
-- Index: {table}_due (partial), then the message row by its primary key.
-- Concurrency: as read_fresh; next_attempt_at is NULL in every other state.
SELECT m.id, m.state, m.message_type, m.biz_type, m.identifier, m.content, {headers}, m.gmt_create, m.gmt_modified,
       d.next_attempt_at, d.first_accepted_at, d.sends, d.refusals, d.epoch, d.reason
FROM {table}_delivery AS d
JOIN {table} AS m ON m.id = d.id
WHERE d.message_type = ?1 AND (d.next_attempt_at, d.id) > (?4, ?2)
  AND d.next_attempt_at <= strftime('%Y-%m-%d %H:%M:%f', 'now')
  AND m.state = 'RETRY'
ORDER BY d.next_attempt_at, d.id
LIMIT ?3
