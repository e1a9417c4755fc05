-- What an operator did to a row.
-- Index: none. Concurrency: in the transaction of the change.
INSERT INTO waybill_audit (operator, action, message_table, message_row, state_before, reason)
VALUES (?1, ?2, '{table}', ?3, ?4, ?5)
