-- The next INIT rows of one type behind an id. ?1 type, ?2 id, ?3 most rows, ?4 most bytes of content (one row at least).
-- Index: that of (state, message_type, id), then each row once by its primary key. A row behind ?4 bytes comes without
-- its content; the last column tells that from a row that never had any.
-- Concurrency: a reader of a snapshot; rows that commit later are seen by the next read.
SELECT m.id, m.state, m.message_type, m.biz_type, m.identifier, {content}, {headers}, m.gmt_create,
       m.gmt_modified, NULL, NULL, 0, 0, 0, NULL, m.content IS NULL
FROM (SELECT @waybill_bytes := 0) AS start
STRAIGHT_JOIN {table} AS m {by_fresh}
WHERE m.state = 'INIT' AND m.message_type = ?1 AND m.id > ?2
ORDER BY m.id
LIMIT ?3
