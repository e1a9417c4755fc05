-- Consumers' newest verdicts; the caller has looked that each replaces the one before. Per row: $1 ids, $2 consumers,
-- $3 verdicts, $4 epochs, $5 reasons.
-- Index: primary key. Concurrency: the message rows are locked.
INSERT INTO {table}_receipt (id, consumer, verdict, epoch, reason)
SELECT * FROM unnest($1, $2, $3, $4, $5)
ON CONFLICT (id, consumer) DO UPDATE SET verdict = excluded.verdict, epoch = excluded.epoch, reason = excluded.reason
