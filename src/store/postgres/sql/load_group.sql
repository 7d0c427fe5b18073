SELECT id, record FROM {s}.operation WHERE id = ANY($1) AND status >= 0
