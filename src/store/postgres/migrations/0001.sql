CREATE TABLE {s}.meta (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    -- The store's number, a random one.
    store bigint NOT NULL,
    -- The newest open.
    instance bigint NOT NULL,
    -- Tombstones of the feed up to here may be gone.
    purged bigint NOT NULL,
    -- Added to transaction numbers, so that the feed goes on where a restored copy left off.
    base bigint NOT NULL,
    -- The cluster, database and table that this row was written in.
    home text NOT NULL
);

CREATE TABLE {s}.operation (
    id text COLLATE "C" PRIMARY KEY,
    feed bigint NOT NULL,
    birth bigint NOT NULL,
    n bigint NOT NULL,
    instance bigint NOT NULL,
    -- 0 to 3 in the machine's order; -1: a tombstone.
    status smallint NOT NULL,
    -- '': none.
    type text COLLATE "C" NOT NULL,
    created bigint NOT NULL,
    -- The last action of one that has ended. Not kept for others: an indexed column that changes with each
    -- sign of life would rule out heap-only updates.
    ended bigint,
    -- The instance that holds the claim.
    holder bigint,
    written timestamptz NOT NULL,
    deleted timestamptz,
    -- The truth; the columns serve indexes.
    record bytea NOT NULL
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05);

CREATE INDEX operation_by_status ON {s}.operation (status, created, id) WHERE status >= 0;
CREATE INDEX operation_by_type ON {s}.operation (type, status, created, id) WHERE status >= 0;
CREATE INDEX operation_ended ON {s}.operation (status, ended, id) WHERE status >= 2;
CREATE INDEX operation_ended_by_type ON {s}.operation (type, status, ended, id) WHERE status >= 2;
CREATE INDEX operation_running ON {s}.operation (type, id) WHERE status = 1;
CREATE INDEX operation_held ON {s}.operation (holder, id) WHERE status = 1 AND holder IS NOT NULL;
CREATE INDEX operation_deleted ON {s}.operation (deleted) WHERE status = -1;

-- One row per operation: its own table, so that a sign of life touches one small index and no other.
CREATE TABLE {s}.feed (
    feed bigint NOT NULL,
    id text COLLATE "C" NOT NULL
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05);

CREATE INDEX feed_order ON {s}.feed (feed);

CREATE TABLE {s}.label (
    name text COLLATE "C" NOT NULL,
    value text COLLATE "C" NOT NULL,
    created bigint NOT NULL,
    id text COLLATE "C" NOT NULL,
    PRIMARY KEY (name, value, created, id)
);

CREATE INDEX label_owner ON {s}.label (id);

-- Counts are the sum of all rows; the store folds them now and then.
CREATE TABLE {s}.tally (
    type text COLLATE "C" NOT NULL,
    not_started bigint NOT NULL,
    running bigint NOT NULL,
    completed bigint NOT NULL,
    failed bigint NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);

CREATE TABLE {s}.instance (
    id bigint PRIMARY KEY,
    opened timestamptz NOT NULL,
    seen timestamptz NOT NULL
) WITH (fillfactor = 50);
