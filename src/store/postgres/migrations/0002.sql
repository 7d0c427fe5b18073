ALTER TABLE {s}.operation
    -- When it must have ended.
    ADD COLUMN deadline bigint,
    ADD COLUMN group_name text COLLATE "C",
    ADD COLUMN unique_key text COLLATE "C";

CREATE INDEX operation_due ON {s}.operation (deadline) WHERE status IN (0, 1) AND deadline IS NOT NULL;
CREATE INDEX operation_by_group ON {s}.operation (group_name, status, created, id)
    WHERE status >= 0 AND group_name IS NOT NULL;
CREATE INDEX operation_ended_by_group ON {s}.operation (group_name, status, ended, id)
    WHERE status >= 2 AND group_name IS NOT NULL;
-- One that has not ended holds its key.
CREATE UNIQUE INDEX operation_unique ON {s}.operation (unique_key) WHERE status IN (0, 1) AND unique_key IS NOT NULL;

-- A further attempt is found by its base, under the name that no label has.
INSERT INTO {s}.label (name, value, created, id)
SELECT '', a.base, o.created, o.id
FROM {s}.operation o, LATERAL (
    SELECT substring(o.id FROM '^(.+)~[0-9]+$') AS base, substring(o.id FROM '~([2-9]|[1-9][0-9]{1,9})$') AS number
) a
WHERE o.status >= 0 AND a.number::bigint < 4294967296 AND a.base NOT IN ('.', '..');
