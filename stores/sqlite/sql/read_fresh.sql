-- The next INIT rows of one type behind an id.
-- Index: {table}_fresh (partial), an equality and a range; nothing else is examined.
-- Concurrency: a reader of a snapshot; rows that commit later are seen by the next read.
SELECT m.id, m.state, m.message_type, m.biz_type, m.identifier, m.content, {headers}, m.gmt_create, m.gmt_modified,
       NULL, NULL, 0, 0, 0, NULL
FROM {table} AS m
WHERE m.state = 'INIT' AND m.message_type = ?1 AND m.id > ?2
ORDER BY m.id
LIMIT ?3
