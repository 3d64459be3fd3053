-- Times are microseconds since 1970.

CREATE TABLE IF NOT EXISTS broker_requests (
    queue TEXT NOT NULL,
    tenant TEXT NOT NULL,
    id TEXT NOT NULL,
    state INTEGER NOT NULL,     -- 0 ready, 1 delayed, 2 leased
    at INTEGER NOT NULL,        -- ready since, due at, or leased until
    priority INTEGER NOT NULL,
    sequence INTEGER NOT NULL,  -- place in its priority class
    fence INTEGER NOT NULL,
    expiries INTEGER NOT NULL,
    waiting INTEGER NOT NULL DEFAULT 0, -- leased, but only waiting for others
    body BLOB NOT NULL,
    PRIMARY KEY (queue, tenant, id)
);
CREATE INDEX IF NOT EXISTS broker_order ON broker_requests (queue, tenant, state, priority DESC, sequence);
CREATE INDEX IF NOT EXISTS broker_times ON broker_requests (queue, state, at);
-- Those in flight, which are at most as many as the tenant's cap, however many wait.
CREATE INDEX IF NOT EXISTS broker_in_flight ON broker_requests (queue, tenant) WHERE state = 2 AND NOT waiting;

-- Tenants with requests, and those that are ahead of the queue's virtual time.
CREATE TABLE IF NOT EXISTS broker_tenants (
    queue TEXT NOT NULL,
    tenant TEXT NOT NULL,
    cap INTEGER NOT NULL,       -- requests in flight
    weight INTEGER NOT NULL,
    vtime REAL NOT NULL,        -- cost charged, by weight
    line INTEGER NOT NULL,      -- 0 at rest, 1 runnable, 2 spent: nothing queued, but ahead of the queue's virtual time
    PRIMARY KEY (queue, tenant)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS broker_line ON broker_tenants (queue, line, vtime);

-- Queues with requests.
CREATE TABLE IF NOT EXISTS broker_queues (
    queue TEXT NOT NULL PRIMARY KEY,
    vtime REAL NOT NULL DEFAULT 0,
    sequence INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS broker_dead (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    queue TEXT NOT NULL,
    tenant TEXT NOT NULL,
    id TEXT NOT NULL,
    body BLOB NOT NULL,
    reason TEXT NOT NULL,
    at INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS broker_dead_of ON broker_dead (tenant, queue, number);
CREATE INDEX IF NOT EXISTS broker_dead_at ON broker_dead (at);
