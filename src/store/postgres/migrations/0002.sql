-- When it must have ended.
ALTER TABLE {s}.operation ADD COLUMN deadline bigint;

CREATE INDEX operation_due ON {s}.operation (deadline) WHERE status IN (0, 1) AND deadline IS NOT NULL;
