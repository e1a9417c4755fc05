-- Locks the rows of message ids: $1 business domains, $2 types, $3 identifiers.
-- Index: UNIQUE (biz_type, message_type, identifier). Concurrency: in id order; find reads behind it.
SELECT m.id
FROM unnest($1, $2, $3) AS w(biz_type, message_type, identifier)
JOIN {table} AS m ON m.biz_type = w.biz_type AND m.message_type = w.message_type AND m.identifier = w.identifier
ORDER BY m.id FOR UPDATE OF m
