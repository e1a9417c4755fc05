-- The epochs of rows that have a delivery row. $1 ids.
-- Index: primary key. Concurrency: behind find, in the same transaction, so that they are those under the lock.
SELECT id, epoch FROM {table}_delivery WHERE id = ANY($1)
