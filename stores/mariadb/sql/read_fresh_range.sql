-- The INIT rows of one type between two ids, where few others lie. ?1 type, ?2 first id, ?3 most rows, ?4 most
-- bytes as in read_fresh, ?5 last id.
-- Index: primary key, one range: it goes on from row to row, where read_fresh comes down the tree for each.
-- Concurrency: as read_fresh; rows that committed meanwhile come along.
SELECT m.id, m.state, m.message_type, m.biz_type, m.identifier, {content}, {headers}, m.gmt_create,
       m.gmt_modified, NULL, NULL, 0, 0, 0, NULL, m.content IS NULL
FROM (SELECT @waybill_bytes := 0) AS start
STRAIGHT_JOIN {table} AS m {by_id}
WHERE m.id BETWEEN ?2 AND ?5 AND m.state = 'INIT' AND m.message_type = ?1
ORDER BY m.id
LIMIT ?3
