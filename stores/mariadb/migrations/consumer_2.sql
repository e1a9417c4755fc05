-- What an operator needs to publish a parked message again as it came: its key and its trace context.
ALTER TABLE waybill_parked
  ADD COLUMN IF NOT EXISTS partition_key text NOT NULL DEFAULT '',
  ADD COLUMN IF NOT EXISTS traceparent text NOT NULL DEFAULT '';
