-- What a row is now: its state and epoch.
-- Index: primary keys. Concurrency: inside BEGIN IMMEDIATE nobody else changes it before the mark.
SELECT m.state, COALESCE(d.epoch, 0)
FROM {table} AS m LEFT JOIN {table}_delivery AS d ON d.id = m.id
WHERE m.id = ?1
