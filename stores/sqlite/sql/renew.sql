-- Counts the lease up while it is ours: ?1 fence, ?2 holder.
-- Index: primary key. Concurrency: compare-and-set on both.
UPDATE {table}_lease SET counter = counter + 1 WHERE id = 1 AND fence = ?1 AND holder = ?2
RETURNING counter
