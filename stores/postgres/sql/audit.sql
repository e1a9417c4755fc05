-- What an operator did to rows: $1 operator; per row $2 actions, $3 ids, $4 states before, $5 reasons.
-- Index: none. Concurrency: in the transaction of the change.
INSERT INTO waybill_audit (operator, action, message_table, message_row, state_before, reason)
SELECT $1, w.action, '{table}', w.id, w.state_before, w.reason
FROM unnest($2, $3, $4, $5) AS w(action, id, state_before, reason)
