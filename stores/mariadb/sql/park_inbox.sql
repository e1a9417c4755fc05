-- The inbox row of a message refused for good; one that was done before stays done, and answers so.
-- Index: waybill_inbox_identity. Concurrency: together with park.
INSERT INTO waybill_inbox (consumer, message_id, epoch, verdict, reason, sent_at) VALUES (?1, ?2, ?3, 'failed', ?4, ?5)
ON DUPLICATE KEY UPDATE
  epoch = IF(verdict = 'done', epoch, GREATEST(epoch, VALUES(epoch))),
  reason = IF(verdict = 'done', reason, VALUES(reason)),
  sent_at = IF(verdict = 'done', sent_at, GREATEST(COALESCE(sent_at, VALUES(sent_at)), VALUES(sent_at))),
  confirmed_at = IF(verdict = 'done', confirmed_at, NULL)
RETURNING verdict
