-- Inbox rows that the producer has not answered for, oldest first behind a position.
-- Index: waybill_inbox_pending. Concurrency: a reader of a snapshot.
SELECT position, message_id, epoch, verdict, COALESCE(reason, ''), sent_at, gmt_create
FROM waybill_inbox FORCE INDEX (waybill_inbox_pending)
WHERE confirmed_at IS NULL AND consumer = ?1 AND position > ?2
ORDER BY position
LIMIT ?3
