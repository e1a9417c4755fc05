-- Frees the lease while it is ours.
-- Index: primary key. Concurrency: compare-and-set on the fence.
UPDATE {table}_lease SET holder = '', counter = counter + 1 WHERE id = 1 AND fence = ?1
