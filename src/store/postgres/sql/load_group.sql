-- The planner must not see how many there are: see the group of creates.
SELECT id, record FROM {s}.operation WHERE id = ANY((SELECT $1)::text[]) AND status >= 0
