-- The rows of one message id: one, or several in a table without uniqueness.
-- Index: UNIQUE (biz_type, message_type, identifier). Concurrency: inside BEGIN IMMEDIATE.
SELECT m.id, m.state, COALESCE(d.epoch, 0)
FROM {table} AS m LEFT JOIN {table}_delivery AS d ON d.id = m.id
WHERE m.biz_type = ?1 AND m.message_type = ?2 AND m.identifier = ?3
ORDER BY m.id
