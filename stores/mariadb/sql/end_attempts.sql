-- The messages were dealt with, in whatever way: ?1 consumer, ?2 message ids.
-- Index: primary key. Concurrency: one transaction a batch, after the handlers'.
DELETE a FROM JSON_TABLE(?2, '$[*]' COLUMNS (message_id varchar(768) CHARACTER SET ascii PATH '$[0]')) AS w
STRAIGHT_JOIN waybill_attempt AS a ON a.consumer = ?1 AND a.message_id = w.message_id
