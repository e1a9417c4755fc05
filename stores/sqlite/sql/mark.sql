-- One arrow out of INIT or SENT, by compare-and-set on the row and its state. Such rows are in epoch 0.
-- Index: primary key. Concurrency: inside BEGIN IMMEDIATE; the caller checks the affected rows.
UPDATE {table} SET state = ?2, gmt_modified = strftime('%Y-%m-%d %H:%M:%f', 'now')
WHERE id = ?1 AND state = ?3
