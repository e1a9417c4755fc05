-- Records a consumer's verdict; done is final, and the newest epoch wins.
-- Index: primary key. Concurrency: inside BEGIN IMMEDIATE, after the message row was read.
INSERT INTO {table}_receipt (id, consumer, verdict, epoch, reason) VALUES (?1, ?2, ?3, ?4, ?5)
ON CONFLICT (id, consumer) DO UPDATE SET verdict = excluded.verdict, epoch = excluded.epoch, reason = excluded.reason
WHERE verdict <> 'done' AND excluded.epoch >= epoch
