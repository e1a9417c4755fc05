-- The inbox row of a message refused for good; one that was done before stays done.
-- Index: UNIQUE (consumer, message_id). Concurrency: together with park.
INSERT INTO waybill_inbox AS i (consumer, message_id, epoch, verdict, reason, sent_at) VALUES ($1, $2, $3, 'failed', $4, $5)
ON CONFLICT (consumer, message_id) DO UPDATE SET
  epoch = GREATEST(i.epoch, excluded.epoch), reason = excluded.reason, sent_at = GREATEST(i.sent_at, excluded.sent_at),
  confirmed_at = NULL
WHERE i.verdict <> 'done'
