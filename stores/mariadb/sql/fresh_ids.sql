-- The ids of the next INIT rows of one type behind an id. ?1 type, ?2 id, ?3 most rows.
-- Index: that of (state, message_type, id) alone. Concurrency: a reader of a snapshot.
SELECT m.id FROM {table} AS m {by_fresh}
WHERE m.state = 'INIT' AND m.message_type = ?1 AND m.id > ?2
ORDER BY m.id
LIMIT ?3
