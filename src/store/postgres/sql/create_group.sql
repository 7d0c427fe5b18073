WITH here AS MATERIALIZED ({here}),
-- So that the planner does not see how many there are: a plan made for few looks cheaper to it than the one
-- for any number that it keeps, and it would plan each time anew, for longer than the writes take.
given AS MATERIALIZED (
    SELECT $1 AS id, $2 AS birth, $3 AS n, $4 AS instance, $5 AS status, $6 AS type, $7 AS created, $8 AS ended,
        $9 AS holder, $10 AS record, $11 AS owner, $12 AS name, $13 AS value, $14 AS deadline, $15 AS group_name
),
want AS MATERIALIZED (
    SELECT w.* FROM given, unnest(given.id, given.birth, given.n, given.instance, given.status, given.type,
            given.created, given.ended, given.holder, given.record, given.deadline, given.group_name)
        WITH ORDINALITY AS w (id, birth, n, instance, status, type, created, ended, holder, record, deadline,
            group_name, place)
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
    SELECT l.name, l.value, new.created, new.id
    FROM given, unnest(given.owner, given.name, given.value) AS l (id, name, value) JOIN new ON new.id = l.id
),
counted AS (
    INSERT INTO {s}.tally (type, not_started, running, completed, failed)
    SELECT type, sum((status = 0)::int), sum((status = 1)::int), sum((status = 2)::int), sum((status = 3)::int)
    FROM new
    GROUP BY type
)
SELECT new.id FROM new
