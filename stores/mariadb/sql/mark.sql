-- One arrow, by compare-and-set on the rows and their state: ?1 ids, ?2 fence.
-- Index: primary key; any other would lock what it passes. Concurrency: names its rows. MariaDB answers how many of them
-- changed, not which: where it is not all, the caller undoes it and goes by lock.
UPDATE JSON_TABLE(?1, '$[*]' COLUMNS (id bigint PATH '$')) AS w
STRAIGHT_JOIN {table} AS m {by_id} ON m.id = w.id
SET m.state = '{to}', m.gmt_modified = utc_timestamp(6)
WHERE m.state = '{from}'{fence}
