-- What an operator needs to publish a parked message again as it came: its key and its trace context.
ALTER TABLE waybill_parked
  ADD COLUMN IF NOT EXISTS partition_key text COLLATE "C" NOT NULL DEFAULT '',
  ADD COLUMN IF NOT EXISTS traceparent text COLLATE "C" NOT NULL DEFAULT '';
