-- Keeps a copy of a refused message for the operator.
-- Index: primary key. Concurrency: inside BEGIN IMMEDIATE, together with park_inbox.
INSERT INTO waybill_parked (consumer, message_id, message_type, body, reason, epoch, attempts, partition_key,
                            traceparent)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
ON CONFLICT (consumer, message_id) DO UPDATE SET
  body = excluded.body, reason = excluded.reason, epoch = excluded.epoch, attempts = excluded.attempts,
  partition_key = excluded.partition_key, traceparent = excluded.traceparent
