-- A duplicate came: confirm it again, with the newest that any copy carried.
-- Index: waybill_inbox_identity. Concurrency: a later answer to the older copy does not close it (see confirmed).
UPDATE waybill_inbox
SET confirmed_at = NULL, epoch = GREATEST(epoch, ?3), sent_at = GREATEST(COALESCE(sent_at, ?4), ?4)
WHERE consumer = ?1 AND message_id = ?2
