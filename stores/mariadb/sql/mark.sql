-- One arrow, by compare-and-set on the rows and their state: {ids}, at most 1000, and the lease as {held} and {holder} are filled in.
-- Index: primary key; any other would lock what it passes. Concurrency: names its rows. MariaDB answers how many of them
-- changed, not which: where it is not all, the caller undoes it and goes by lock. A list of numbers, because a join with
-- JSON_TABLE makes it an UPDATE of two tables, which looks every row up twice.
UPDATE {table} AS m {by_id} SET m.state = '{to}', m.gmt_modified = utc_timestamp(6)
WHERE m.id IN ({ids}) AND m.state = '{from}'{fence}
