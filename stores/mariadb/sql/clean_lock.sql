-- Locks final rows before clean deletes them: ?1 ids, ?2 age in ms. Answers which.
-- Index: primary key. Concurrency: leaves out what somebody else has locked; in READ COMMITTED it locks these rows and no gap.
SELECT m.id FROM JSON_TABLE(?1, '$[*]' COLUMNS (id bigint PATH '$')) AS w
STRAIGHT_JOIN {table} AS m {by_id} ON m.id = w.id
WHERE m.state IN ('SUCCESS', 'CANCELLED') AND m.gmt_modified < utc_timestamp(6) - INTERVAL ?2 * 1000 MICROSECOND
FOR UPDATE SKIP LOCKED
