-- The messages set aside, oldest first.
-- Index: none; few rows, for operators. Concurrency: a reader of a snapshot.
SELECT message_id, message_type, body, reason, epoch, attempts, gmt_create
FROM waybill_parked WHERE consumer = ?1 ORDER BY gmt_create, message_id LIMIT ?2
