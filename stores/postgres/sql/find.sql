-- Locks the rows of message ids, each with its place in the arrays: $1 business domains, $2 types, $3 identifiers. One row an
-- id, or several in a table without uniqueness.
-- Index: UNIQUE (biz_type, message_type, identifier). Concurrency: in id order; the states are those under the lock.
SELECT w.place, m.id, m.state
FROM unnest($1, $2, $3) WITH ORDINALITY AS w(biz_type, message_type, identifier, place)
JOIN {table} AS m ON m.biz_type = w.biz_type AND m.message_type = w.message_type AND m.identifier = w.identifier
ORDER BY m.id FOR UPDATE OF m
