-- One arrow out of INIT or SENT, by compare-and-set on the row and its state. Such rows are in epoch 0. ?4 is the
-- database's now, read once a transaction.
-- Index: primary key. Concurrency: inside BEGIN IMMEDIATE; the caller checks the affected rows.
UPDATE {table} SET state = ?2, gmt_modified = ?4
WHERE id = ?1 AND state = ?3
