-- The RETRY rows of one type whose next attempt came, earliest first, behind a place in that order. Parameters as
-- read_overdue, without the deadline.
-- Index: {table}_due (partial) by row comparison (not as upper bound, see read_overdue), then the message row by its primary key.
-- Concurrency: as read_fresh; next_attempt_at is NULL in every other state.
SELECT * FROM (
  SELECT r.*, COALESCE(SUM(octet_length(r.content)) OVER (ORDER BY r.next_attempt_at, r.id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0)
              AS bytes_before
  FROM (
    SELECT m.id, m.state, m.message_type, m.biz_type, m.identifier, m.content, {headers}, m.gmt_create, m.gmt_modified,
           d.next_attempt_at, d.first_accepted_at, d.sends, d.refusals, d.epoch, d.reason
    FROM {table}_delivery AS d
    JOIN {table} AS m ON m.id = d.id
    WHERE (d.message_type, d.next_attempt_at, d.id) > ($1, $5, $2)
      AND d.message_type = $1 AND d.next_attempt_at <= now() AND d.next_attempt_at IS NOT NULL
      AND m.state = 'RETRY'
    ORDER BY d.message_type, d.next_attempt_at, d.id
    LIMIT $3) AS r) AS bounded
WHERE bytes_before < $4
