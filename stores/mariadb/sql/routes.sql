-- Every route. Few rows; read again when their version grew.
-- Index: none needed. Concurrency: a reader of a snapshot.
SELECT message_type, destination, consumers, confirm_deadline, ordering, dispatch, version
FROM waybill_route ORDER BY message_type
