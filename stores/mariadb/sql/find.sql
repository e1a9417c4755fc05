-- The rows of message ids, each with its place in the batch: one, or several in a table without uniqueness. ?1 rows of
-- business domain, type and identifier.
-- Index: the identity's. Concurrency: lock reads the rows again, locked. A foreign table may compare with padding; BINARY
-- does not.
SELECT w.place, m.id
FROM JSON_TABLE(?1, '$[*]' COLUMNS (
  place bigint PATH '$[0]', biz_type varchar(64) CHARACTER SET utf8mb4 PATH '$[1]',
  message_type varchar(128) CHARACTER SET utf8mb4 PATH '$[2]',
  identifier varchar(128) CHARACTER SET utf8mb4 PATH '$[3]')) AS w
STRAIGHT_JOIN {table} AS m {by_identity}
  ON m.biz_type = w.biz_type AND m.message_type = w.message_type AND m.identifier = w.identifier
WHERE BINARY m.biz_type = w.biz_type AND BINARY m.message_type = w.message_type AND BINARY m.identifier = w.identifier
ORDER BY w.place, m.id
