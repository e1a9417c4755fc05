-- Counts the lease up while it is ours; the answer's insert id is the new count.
-- Index: primary key. Concurrency: compare-and-set on the fence.
UPDATE {table}_lease SET counter = LAST_INSERT_ID(counter + 1) WHERE id = 1 AND fence = ?1 AND holder <> ''
