-- The next INIT rows of one type behind an id. $1 type, $2 id, $3 most rows, $4 most bytes of content (one row at least).
-- Index: {table}_fresh (partial) by row comparison: an equality of the type would let stale statistics choose the primary
-- key. Concurrency: a reader of a snapshot; rows that commit later are seen by the next read.
SELECT * FROM (
  SELECT r.*, COALESCE(SUM(octet_length(r.content)) OVER (ORDER BY r.id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0)
              AS bytes_before FROM (
    SELECT m.id, m.state, m.message_type, m.biz_type, m.identifier, m.content, {headers}, m.gmt_create, m.gmt_modified,
           NULL::timestamptz, NULL::timestamptz, 0, 0, 0, NULL::text
    FROM {table} AS m
    WHERE m.state = 'INIT' AND (m.message_type, m.id) > ($1, $2) AND m.message_type <= $1
    ORDER BY m.message_type, m.id
    LIMIT $3) AS r) AS bounded
WHERE bytes_before < $4
