-- The RETRY rows of one type whose next attempt came, earliest first, behind a place in that order. Parameters as
-- read_overdue, without the deadline.
-- Index: {table}_due, then the message row by its primary key.
-- Concurrency: as read_fresh; next_attempt_at is NULL in every other state.
SELECT STRAIGHT_JOIN m.id, m.state, m.message_type, m.biz_type, m.identifier, m.content, {headers}, m.gmt_create,
       m.gmt_modified, d.next_attempt_at, d.first_accepted_at, d.sends, d.refusals, d.epoch, d.reason
FROM (SELECT head.id, head.at, SUM(head.bytes) OVER (ORDER BY head.at, head.id) - head.bytes AS bytes_before
      FROM (SELECT h.id, h.next_attempt_at AS at, OCTET_LENGTH(r.content) AS bytes
            FROM {table}_delivery AS h FORCE INDEX ({table}_due)
            STRAIGHT_JOIN {table} AS r {by_id} ON r.id = h.id
            WHERE h.message_type = ?1 AND (h.next_attempt_at > ?5 OR (h.next_attempt_at = ?5 AND h.id > ?2))
              AND h.next_attempt_at <= utc_timestamp(6) AND r.state = 'RETRY'
            ORDER BY h.next_attempt_at, h.id
            LIMIT ?3) AS head) AS page
JOIN {table}_delivery AS d FORCE INDEX (PRIMARY) ON d.id = page.id
JOIN {table} AS m {by_id} ON m.id = page.id
WHERE page.bytes_before < ?4
ORDER BY page.at, page.id
