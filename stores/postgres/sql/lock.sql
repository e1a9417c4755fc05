-- Locks rows in id order, so that two batches cannot lock each other out.
-- Index: primary key. Concurrency: the first statement of a transaction that changes rows by several arrows.
SELECT id FROM {table} WHERE id = ANY($1) ORDER BY id FOR UPDATE
