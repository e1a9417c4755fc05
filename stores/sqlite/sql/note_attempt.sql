-- A message is about to be handled; no row changes when an earlier note was never taken back.
-- Index: primary key. Concurrency: one transaction a batch, before the handlers'.
INSERT INTO waybill_attempt (consumer, message_id, attempts) VALUES (?1, ?2, 0)
ON CONFLICT (consumer, message_id) DO NOTHING
