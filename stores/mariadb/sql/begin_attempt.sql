-- A message whose note was never taken back is tried alone; answers how often that began and never ended.
-- Index: primary key. Concurrency: a transaction of its own, before the handler's.
INSERT INTO waybill_attempt (consumer, message_id, attempts) VALUES (?1, ?2, 1)
ON DUPLICATE KEY UPDATE attempts = attempts + 1
RETURNING attempts
