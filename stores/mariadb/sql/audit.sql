-- What an operator did to rows: ?1 operator, ?2 rows of action, id, state before and reason.
-- Index: none. Concurrency: in the transaction of the change.
INSERT INTO waybill_audit (operator, action, message_table, message_row, state_before, reason)
SELECT ?1, w.action, '{table}', w.id, w.state_before, w.reason
FROM JSON_TABLE(?2, '$[*]' COLUMNS (
  action varchar(32) CHARACTER SET utf8mb4 PATH '$[0]', id bigint PATH '$[1]',
  state_before varchar(16) CHARACTER SET utf8mb4 PATH '$[2]', reason text CHARACTER SET utf8mb4 PATH '$[3]')) AS w
