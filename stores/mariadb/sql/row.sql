-- One row with everything, its content included.
-- Index: primary keys. Concurrency: a reader of a snapshot.
SELECT m.id, m.state, m.message_type, m.biz_type, m.identifier, m.content, {headers}, m.gmt_create, m.gmt_modified,
       d.next_attempt_at,
       COALESCE(d.first_accepted_at, CASE WHEN d.id IS NULL AND m.state = 'SENT' THEN m.gmt_modified END),
       COALESCE(d.sends, CASE WHEN m.state IN ('SENT', 'SUCCESS') THEN 1 ELSE 0 END),
       COALESCE(d.refusals, 0), COALESCE(d.epoch, 0), d.reason
FROM {table} AS m LEFT JOIN {table}_delivery AS d ON d.id = m.id
WHERE m.id = ?1
