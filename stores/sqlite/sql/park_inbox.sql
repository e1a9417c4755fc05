-- The inbox row of a message refused for good; one that was done before stays done.
-- Index: UNIQUE (consumer, message_id). Concurrency: inside BEGIN IMMEDIATE, together with park.
INSERT INTO waybill_inbox (consumer, message_id, epoch, verdict, reason, sent_at) VALUES (?1, ?2, ?3, 'failed', ?4, ?5)
ON CONFLICT (consumer, message_id) DO UPDATE SET
  epoch = MAX(epoch, excluded.epoch), reason = excluded.reason, sent_at = MAX(COALESCE(sent_at, ''), excluded.sent_at),
  confirmed_at = NULL
WHERE verdict <> 'done'
