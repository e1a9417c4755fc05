-- What an operator needs to publish a parked message again as it came: its key and its trace context.
ALTER TABLE waybill_parked ADD COLUMN partition_key TEXT NOT NULL DEFAULT '';
ALTER TABLE waybill_parked ADD COLUMN traceparent TEXT NOT NULL DEFAULT '';
