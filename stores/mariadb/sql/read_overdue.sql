-- The SENT rows of one type whose deadline passed, oldest first, behind a place in that order. ?1 type, ?2 id, ?3 most rows,
-- ?4 most bytes, ?5 time, ?6 deadline in ms.
-- Index: that of (state, message_type, gmt_modified, id), then the row by its primary key. MariaDB makes no range of a row
-- comparison; written out it does. A SENT row never has a delivery row: it left INIT by its first ack.
-- Concurrency: as read_fresh.
SELECT STRAIGHT_JOIN m.id, m.state, m.message_type, m.biz_type, m.identifier, m.content, {headers}, m.gmt_create,
       m.gmt_modified, NULL, m.gmt_modified, 1, 0, 0, NULL
FROM (SELECT head.id, head.at, SUM(head.bytes) OVER (ORDER BY head.at, head.id) - head.bytes AS bytes_before
      FROM (SELECT h.id, h.gmt_modified AS at, OCTET_LENGTH(h.content) AS bytes FROM {table} AS h {by_overdue}
            WHERE h.state = 'SENT' AND h.message_type = ?1
              AND (h.gmt_modified > ?5 OR (h.gmt_modified = ?5 AND h.id > ?2))
              AND h.gmt_modified <= utc_timestamp(6) - INTERVAL ?6 * 1000 MICROSECOND
            ORDER BY h.gmt_modified, h.id
            LIMIT ?3) AS head) AS page
JOIN {table} AS m {by_id} ON m.id = page.id
WHERE page.bytes_before < ?4
ORDER BY page.at, page.id
