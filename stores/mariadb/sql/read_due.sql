-- The RETRY rows of one type whose next attempt came, earliest first, behind a place in that order. Parameters as
-- read_overdue, without the deadline.
-- Index: {table}_due, then the message row by its primary key.
-- Concurrency: as read_fresh; next_attempt_at is NULL in every other state.
SELECT m.id, m.state, m.message_type, m.biz_type, m.identifier, {content}, {headers}, m.gmt_create,
       m.gmt_modified, d.next_attempt_at, d.first_accepted_at, d.sends, d.refusals, d.epoch, d.reason, m.content IS NULL
FROM (SELECT @waybill_bytes := 0) AS start
STRAIGHT_JOIN {table}_delivery AS d FORCE INDEX ({table}_due)
STRAIGHT_JOIN {table} AS m {by_id} ON m.id = d.id
WHERE d.message_type = ?1 AND (d.next_attempt_at > ?5 OR (d.next_attempt_at = ?5 AND d.id > ?2))
  AND d.next_attempt_at <= utc_timestamp(6) AND m.state = 'RETRY'
ORDER BY d.next_attempt_at, d.id
LIMIT ?3
