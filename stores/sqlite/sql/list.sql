-- Rows by any filter, in id order behind an id. A parameter that is NULL does not restrict.
-- Index: primary key or UNIQUE, as the planner finds; for operators. Concurrency: a reader of a snapshot.
SELECT m.id, m.state, m.message_type, m.biz_type, m.identifier, m.content, {headers}, m.gmt_create, m.gmt_modified,
       d.next_attempt_at, d.first_accepted_at, COALESCE(d.sends, 0), COALESCE(d.refusals, 0), COALESCE(d.epoch, 0), d.reason
FROM {table} AS m LEFT JOIN {table}_delivery AS d ON d.id = m.id
WHERE m.id > ?1 AND (?2 IS NULL OR m.id = ?2) AND (?3 IS NULL OR m.identifier = ?3)
  AND (?4 IS NULL OR m.message_type = ?4) AND (?5 IS NULL OR m.biz_type = ?5) AND (?6 IS NULL OR m.state = ?6)
ORDER BY m.id
LIMIT ?7
