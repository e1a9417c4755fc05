-- Locks rows and answers their states and epochs: ?1 ids, in whose order the rows are locked, so that two batches cannot lock
-- each other out.
-- Index: primary keys. Concurrency: the first statement of a transaction that changes rows by more than one plain arrow. In
-- READ COMMITTED it locks these rows and no gap.
SELECT m.id, m.state, COALESCE(d.epoch, 0)
FROM JSON_TABLE(?1, '$[*]' COLUMNS (id bigint PATH '$')) AS w
STRAIGHT_JOIN {table} AS m {by_id} ON m.id = w.id
LEFT JOIN {table}_delivery AS d ON d.id = m.id
FOR UPDATE
