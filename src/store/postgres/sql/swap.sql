WITH here AS MATERIALIZED ({here}),
cur AS MATERIALIZED (
    SELECT o.feed, o.birth, o.n, o.instance, o.status, o.type, o.record
    FROM here, {s}.operation o
    WHERE o.id = $1
    FOR NO KEY UPDATE OF o
),
new AS (
    UPDATE {s}.operation o
    SET feed = here.feed, birth = $5, n = $6, instance = $7, status = $8, type = coalesce($9, o.type),
        created = coalesce($10, o.created), ended = $11, holder = $12, written = clock_timestamp(),
        deleted = CASE WHEN $8 < 0 THEN clock_timestamp() END, record = $13
    FROM here, cur
    WHERE o.id = $1 AND cur.status >= 0 AND cur.birth = $2 AND cur.n = $3 AND cur.instance = $4
    RETURNING o.id, o.status
),
placed AS (
    UPDATE {s}.feed f SET feed = here.feed FROM here, cur, new WHERE f.feed = cur.feed
),
{unlabelled}
counted AS (
    INSERT INTO {s}.tally (type, not_started, running, completed, failed)
    SELECT cur.type, (new.status = 0)::int - (cur.status = 0)::int, (new.status = 1)::int - (cur.status = 1)::int,
        (new.status = 2)::int - (cur.status = 2)::int, (new.status = 3)::int - (cur.status = 3)::int
    FROM cur, new
    WHERE new.status <> cur.status
)
SELECT EXISTS (SELECT FROM new) AS stored, CASE WHEN NOT EXISTS (SELECT FROM new) THEN cur.record END AS record{lost}
FROM cur
WHERE cur.status >= 0
