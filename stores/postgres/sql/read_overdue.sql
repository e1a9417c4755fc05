-- The SENT rows of one type whose deadline passed, oldest first, behind a place in that order. $1 type, $2 id, $3 most rows,
-- $4 most bytes, $5 time, $6 deadline in ms.
-- Index: {table}_overdue (partial) by row comparison; a row comparison as upper bound would not end the scan. A SENT row never has a delivery row: it left INIT by its first ack.
-- Concurrency: as read_fresh.
SELECT * FROM (
  SELECT r.*, COALESCE(SUM(octet_length(r.content)) OVER (ORDER BY r.gmt_modified, r.id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0)
              AS bytes_before FROM (
    SELECT m.id, m.state, m.message_type, m.biz_type, m.identifier, m.content, {headers}, m.gmt_create, m.gmt_modified,
           NULL::timestamptz, m.gmt_modified AS first_accepted_at, 1, 0, 0, NULL::text
    FROM {table} AS m
    WHERE m.state = 'SENT' AND (m.message_type, m.gmt_modified, m.id) > ($1, $5, $2)
      AND m.message_type = $1 AND m.gmt_modified <= now() - $6 * interval '1 millisecond'
    ORDER BY m.message_type, m.gmt_modified, m.id
    LIMIT $3) AS r) AS bounded
WHERE bytes_before < $4
