-- The first type behind ?1 that has rows in a state. The caller jumps from type to type: MariaDB reads the whole state for a
-- DISTINCT or a recursive query whenever its statistics say so.
-- Index: that of (state, message_type, id), one look-up. Concurrency: a reader of a snapshot.
SELECT m.message_type FROM {table} AS m {by_fresh}
WHERE m.state = '{from}' AND m.message_type > ?1
ORDER BY m.message_type
LIMIT 1
