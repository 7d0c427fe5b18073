SELECT o.id, o.birth, o.n, o.instance, o.status, o.type, o.created, o.ended, o.holder,
    o.deleted IS NOT NULL AS deleted, o.record,
    (SELECT count(*) FROM {s}.feed f WHERE f.feed = o.feed AND f.id = o.id) AS places,
    (SELECT array_agg(l.name || '=' || l.value ORDER BY l.name) FROM {s}.label l
        WHERE l.id = o.id AND l.created = o.created) AS labels,
    o.deadline, o.group_name, o.unique_key
FROM {s}.operation o
WHERE o.id > $1
ORDER BY o.id
LIMIT $2
