-- Consumers' newest verdicts; the caller has looked that each replaces the one before. ?1 rows of id, consumer, verdict, epoch
-- and reason.
-- Index: primary key. Concurrency: the message rows are locked.
INSERT INTO {table}_receipt (id, consumer, verdict, epoch, reason)
SELECT w.id, w.consumer, w.verdict, w.epoch, w.reason
FROM JSON_TABLE(?1, '$[*]' COLUMNS (
  id bigint PATH '$[0]', consumer varchar(64) CHARACTER SET utf8mb4 PATH '$[1]',
  verdict varchar(16) CHARACTER SET utf8mb4 PATH '$[2]', epoch int PATH '$[3]',
  reason text CHARACTER SET utf8mb4 PATH '$[4]')) AS w
ON DUPLICATE KEY UPDATE verdict = VALUES(verdict), epoch = VALUES(epoch), reason = VALUES(reason)
