-- The same under the relay's lease, ?5 fence and ?6 holder: a deposed relay changes nothing.
-- Index: primary keys. Concurrency: the lease is read by the same statement that writes.
UPDATE {table} SET state = ?2, gmt_modified = ?4
WHERE id = ?1 AND state = ?3
  AND EXISTS (SELECT 1 FROM {table}_lease WHERE id = 1 AND fence = ?5 AND holder = ?6)
