-- A message whose note was never taken back is tried alone; answers how often that began and never ended.
-- Index: primary key. Concurrency: a transaction of its own, before the handler's.
INSERT INTO waybill_attempt AS a (consumer, message_id, attempts) VALUES ($1, $2, 1)
ON CONFLICT (consumer, message_id) DO UPDATE SET attempts = a.attempts + 1
RETURNING attempts
