-- The messages were dealt with, in whatever way.
-- Index: primary key. Concurrency: one transaction a batch, after the handlers'.
DELETE FROM waybill_attempt WHERE consumer = $1 AND message_id = ANY($2)
