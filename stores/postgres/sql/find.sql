-- The rows of message ids, each with its place in the arrays: one, or several in a table without uniqueness.
-- Index: UNIQUE (biz_type, message_type, identifier). Concurrency: behind find_lock, in the same transaction.
SELECT w.place, m.id, m.state, COALESCE(d.epoch, 0)
FROM unnest($1, $2, $3) WITH ORDINALITY AS w(biz_type, message_type, identifier, place)
JOIN {table} AS m ON m.biz_type = w.biz_type AND m.message_type = w.message_type AND m.identifier = w.identifier
LEFT JOIN {table}_delivery AS d ON d.id = m.id
ORDER BY w.place, m.id
