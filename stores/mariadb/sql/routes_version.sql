-- The largest route version; few rows.
-- Index: none needed. Concurrency: a reader of a snapshot.
SELECT COALESCE(MAX(version), 0) FROM waybill_route
