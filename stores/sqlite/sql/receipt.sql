-- A consumer's newest verdict on a message; the caller has looked that it replaces the one before.
-- Index: primary key. Concurrency: inside BEGIN IMMEDIATE, after the message row was read.
INSERT INTO {table}_receipt (id, consumer, verdict, epoch, reason) VALUES (?1, ?2, ?3, ?4, ?5)
ON CONFLICT (id, consumer) DO UPDATE SET verdict = excluded.verdict, epoch = excluded.epoch, reason = excluded.reason
