-- Rows by any filter, in id order behind ?1 and up to ?2, without content. A parameter that is NULL does not restrict.
-- Index: as the planner sees fit for the parameters given; none for rare values of what has no index.
-- Concurrency: a reader of a snapshot.
SELECT m.id, m.state, m.message_type, m.biz_type, m.identifier, '', {headers}, m.gmt_create, m.gmt_modified,
       d.next_attempt_at,
       COALESCE(d.first_accepted_at, CASE WHEN d.id IS NULL AND m.state = 'SENT' THEN m.gmt_modified END),
       COALESCE(d.sends, CASE WHEN m.state IN ('SENT', 'SUCCESS') THEN 1 ELSE 0 END),
       COALESCE(d.refusals, 0), COALESCE(d.epoch, 0), d.reason
FROM {table} AS m LEFT JOIN {table}_delivery AS d ON d.id = m.id
WHERE m.id > ?1 AND m.id <= ?2
  AND (?3 IS NULL OR m.identifier = ?3) AND (?4 IS NULL OR m.message_type = ?4) AND (?5 IS NULL OR m.biz_type = ?5)
  AND (?6 IS NULL OR m.state = ?6)
  AND (?7 IS NULL OR ?7 = COALESCE((SELECT r.destination FROM waybill_route AS r WHERE r.message_type = m.message_type),
                                   (SELECT r.destination FROM waybill_route AS r WHERE r.message_type = '*')))
  AND (?8 IS NULL OR m.gmt_create >= ?8) AND (?9 IS NULL OR m.gmt_create < ?9)
ORDER BY m.id
LIMIT ?10
