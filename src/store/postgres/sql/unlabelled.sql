unlabelled AS (
    DELETE FROM {s}.label l USING new WHERE l.id = new.id
),
