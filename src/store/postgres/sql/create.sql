WITH here AS MATERIALIZED ({here}),
new AS (
    INSERT INTO {s}.operation AS o
        (id, feed, birth, n, instance, status, type, created, ended, holder, written, deleted, record,
        deadline, group_name, unique_key)
    SELECT $1, here.feed, $2, $3, $4, $5, $6, $7, $8, $9, clock_timestamp(), NULL, $10, $13, $14, $15
    FROM here
    -- Who comes later finds the key taken; of those who come at once the index lets one in.
    WHERE $15::text IS NULL
        OR NOT EXISTS (SELECT FROM {s}.operation t WHERE t.unique_key = $15 AND t.status IN (0, 1))
    ON CONFLICT (id) DO UPDATE
    SET feed = excluded.feed, birth = excluded.birth, n = excluded.n, instance = excluded.instance,
        status = excluded.status, type = excluded.type, created = excluded.created, ended = excluded.ended,
        holder = excluded.holder, written = excluded.written, deleted = NULL, record = excluded.record,
        deadline = excluded.deadline, group_name = excluded.group_name, unique_key = excluded.unique_key
    WHERE o.status < 0
    RETURNING o.id, o.feed
),
-- The tombstone's place in the feed, as this statement's snapshot still shows it.
replaced AS (
    DELETE FROM {s}.feed f USING new, {s}.operation o WHERE o.id = $1 AND o.status < 0 AND f.feed = o.feed
),
placed AS (
    INSERT INTO {s}.feed (feed, id) SELECT new.feed, new.id FROM new
),
labelled AS (
    INSERT INTO {s}.label (name, value, created, id)
    SELECT l.name, l.value, $7, new.id FROM new, unnest($11, $12) AS l (name, value)
),
counted AS (
    INSERT INTO {s}.tally (type, not_started, running, completed, failed)
    SELECT $6, ($5 = 0)::int, ($5 = 1)::int, ($5 = 2)::int, ($5 = 3)::int FROM new
)
SELECT EXISTS (SELECT FROM new) AS stored
