-- One arrow out of INIT or SENT that writes no side table, by compare-and-set on the rows and their state. Such rows are in
-- epoch 0. $1 fence, $2 holder, $3 ids.
-- Index: primary key; `state || ''` keeps the planner from a lane's partial index, which it would search whole for each id.
-- Concurrency: names its rows; answers which of them changed.
UPDATE {table} SET state = '{to}', gmt_modified = now()
WHERE id = ANY($3) AND state || '' = '{from}'{fence}
RETURNING id
