-- Deletes messages with their delivery and receipt rows: ?1 ids, which clean_lock has locked.
-- Index: primary keys. Concurrency: a receipt is written only by who has locked its message, so none comes after.
DELETE m, d, r FROM JSON_TABLE(?1, '$[*]' COLUMNS (id bigint PATH '$')) AS w
STRAIGHT_JOIN {table} AS m {by_id} ON m.id = w.id
LEFT JOIN {table}_delivery AS d ON d.id = m.id
LEFT JOIN {table}_receipt AS r ON r.id = m.id
