-- Takes the lease if it still is as it was seen: ?1 holder, then fence, counter and holder as seen.
-- Index: primary key. Concurrency: compare-and-set; of two takers one affects the row.
UPDATE {table}_lease SET fence = fence + 1, counter = 0, holder = ?1
WHERE id = 1 AND fence = ?2 AND counter = ?3 AND holder = ?4
