WITH here AS MATERIALIZED ({here}),
want AS MATERIALIZED (
    SELECT * FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $14, $15) WITH ORDINALITY
        AS w (id, birth, n, instance, status, type, created, ended, holder, record, deadline, group_name,
            place)
),
new AS (
    INSERT INTO {s}.operation AS o
        (id, feed, birth, n, instance, status, type, created, ended, holder, written, deleted, record,
        deadline, group_name)
    SELECT w.id, here.feed + w.place, w.birth, w.n, w.instance, w.status, w.type, w.created, w.ended, w.holder,
        clock_timestamp(), NULL, w.record, w.deadline, w.group_name
    FROM here, want w
    ORDER BY w.place
    ON CONFLICT (id) DO UPDATE
    SET feed = excluded.feed, birth = excluded.birth, n = excluded.n, instance = excluded.instance,
        status = excluded.status, type = excluded.type, created = excluded.created, ended = excluded.ended,
        holder = excluded.holder, written = excluded.written, deleted = NULL, record = excluded.record,
        deadline = excluded.deadline, group_name = excluded.group_name, unique_key = NULL
    WHERE o.status < 0
    RETURNING o.id, o.feed, o.type, o.status, o.created
),
replaced AS (
    DELETE FROM {s}.feed f USING new, {s}.operation o WHERE o.id = new.id AND o.status < 0 AND f.feed = o.feed
),
placed AS (
    INSERT INTO {s}.feed (feed, id) SELECT new.feed, new.id FROM new
),
labelled AS (
    INSERT INTO {s}.label (name, value, created, id)
    SELECT l.name, l.value, new.created, new.id FROM new JOIN unnest($11, $12, $13) AS l (id, name, value) USING (id)
),
counted AS (
    INSERT INTO {s}.tally (type, not_started, running, completed, failed)
    SELECT type, sum((status = 0)::int), sum((status = 1)::int), sum((status = 2)::int), sum((status = 3)::int)
    FROM new
    GROUP BY type
)
SELECT new.id FROM new
