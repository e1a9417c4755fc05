-- A duplicate came: confirm it again, with the newest that any copy carried.
-- Index: UNIQUE (consumer, message_id). Concurrency: a later answer to the older copy does not close it (see confirmed).
UPDATE waybill_inbox
SET confirmed_at = NULL, epoch = GREATEST(epoch, $3), sent_at = GREATEST(sent_at, $4)
WHERE consumer = $1 AND message_id = $2
