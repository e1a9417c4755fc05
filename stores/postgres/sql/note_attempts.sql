-- Messages are about to be handled; answers those without an earlier note that was never taken back.
-- Index: primary key. Concurrency: one transaction a batch, before the handlers'.
INSERT INTO waybill_attempt (consumer, message_id, attempts)
SELECT $1, w.message_id, 0 FROM unnest($2) AS w(message_id)
ON CONFLICT (consumer, message_id) DO NOTHING
RETURNING message_id
