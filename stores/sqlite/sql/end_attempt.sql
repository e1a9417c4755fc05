-- The message was dealt with, in whatever way.
-- Index: primary key. Concurrency: one transaction a batch, after the handler's.
DELETE FROM waybill_attempt WHERE consumer = ?1 AND message_id = ?2
