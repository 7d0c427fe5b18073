SELECT 'label ' || l.name || ' of ' || l.id FROM {s}.label l
WHERE NOT EXISTS (SELECT FROM {s}.operation o WHERE o.id = l.id AND o.created = l.created AND o.status >= 0)
LIMIT 100
