-- The next INIT rows of one type behind an id. ?1 type, ?2 id, ?3 most rows, ?4 most bytes of content (one row at least).
-- Index: that of (state, message_type, id), then the row by its primary key. The page is chosen by ids and lengths alone, so
-- that no content passes through a temporary table.
-- Concurrency: a reader of a snapshot; rows that commit later are seen by the next read.
SELECT STRAIGHT_JOIN m.id, m.state, m.message_type, m.biz_type, m.identifier, m.content, {headers}, m.gmt_create,
       m.gmt_modified, NULL, NULL, 0, 0, 0, NULL
FROM (SELECT head.id, SUM(head.bytes) OVER (ORDER BY head.id) - head.bytes AS bytes_before
      FROM (SELECT h.id, OCTET_LENGTH(h.content) AS bytes FROM {table} AS h {by_fresh}
            WHERE h.state = 'INIT' AND h.message_type = ?1 AND h.id > ?2
            ORDER BY h.id
            LIMIT ?3) AS head) AS page
JOIN {table} AS m {by_id} ON m.id = page.id
WHERE page.bytes_before < ?4
ORDER BY page.id
