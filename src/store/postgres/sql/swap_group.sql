WITH here AS MATERIALIZED ({here}),
-- As in a group of creates: the planner must not see how many there are.
given AS MATERIALIZED (
    SELECT $1 AS id, $2 AS birth, $3 AS n, $4 AS instance, $5 AS next_birth, $6 AS next_n, $7 AS next_instance,
        $8 AS status, $9 AS type, $10 AS created, $11 AS ended, $12 AS holder, $13 AS record
),
want AS MATERIALIZED (
    SELECT w.* FROM given, unnest(given.id, given.birth, given.n, given.instance, given.next_birth, given.next_n,
            given.next_instance, given.status, given.type, given.created, given.ended, given.holder, given.record)
        WITH ORDINALITY AS w (id, birth, n, instance, next_birth, next_n, next_instance, status, type, created,
            ended, holder, record, place)
),
-- The writes come ordered by id, so the rows are locked in that order. A row that somebody else has locked
-- is left out: it must not hold up the others.
cur AS MATERIALIZED (
    SELECT w.place, o.id, o.feed, o.birth, o.n, o.instance, o.status, o.type, o.record
    FROM here, want w, LATERAL (
        SELECT * FROM {s}.operation o WHERE o.id = w.id OFFSET 0 FOR NO KEY UPDATE SKIP LOCKED
    ) o
),
new AS (
    UPDATE {s}.operation o
    SET feed = here.feed + w.place, birth = w.next_birth, n = w.next_n, instance = w.next_instance,
        status = w.status, type = coalesce(w.type, o.type), created = coalesce(w.created, o.created),
        ended = w.ended, holder = w.holder, written = clock_timestamp(),
        deleted = CASE WHEN w.status < 0 THEN clock_timestamp() END, record = w.record
    FROM here, want w, cur
    WHERE o.id = w.id AND cur.place = w.place
        AND cur.status >= 0 AND cur.birth = w.birth AND cur.n = w.n AND cur.instance = w.instance
    RETURNING cur.place, o.id, o.feed, o.status, o.type, cur.feed AS old_feed, cur.status AS old_status
),
placed AS (
    UPDATE {s}.feed f SET feed = new.feed FROM new WHERE f.feed = new.old_feed
),
{unlabelled}
counted AS (
    INSERT INTO {s}.tally (type, not_started, running, completed, failed)
    SELECT type, sum((status = 0)::int - (old_status = 0)::int), sum((status = 1)::int - (old_status = 1)::int),
        sum((status = 2)::int - (old_status = 2)::int), sum((status = 3)::int - (old_status = 3)::int)
    FROM new
    WHERE status <> old_status
    GROUP BY type
)
SELECT cur.place, new.place IS NOT NULL AS stored,
    CASE WHEN new.place IS NULL AND cur.status >= 0 THEN cur.record END AS record
FROM cur LEFT JOIN new ON new.place = cur.place
