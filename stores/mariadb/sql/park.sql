-- Keeps a copy of a refused message for the operator.
-- Index: primary key. Concurrency: together with park_inbox.
INSERT INTO waybill_parked (consumer, message_id, message_type, body, reason, epoch, attempts, partition_key,
                            traceparent)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
ON DUPLICATE KEY UPDATE
  body = VALUES(body), reason = VALUES(reason), epoch = VALUES(epoch), attempts = VALUES(attempts),
  partition_key = VALUES(partition_key), traceparent = VALUES(traceparent)
