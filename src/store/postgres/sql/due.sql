SELECT id FROM {s}.operation
WHERE status IN (0, 1) AND deadline <= $1 AND id > $2
ORDER BY id
LIMIT $3
