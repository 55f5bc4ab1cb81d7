-- What happened, what must still be done.

-- Changes, written in the transaction that makes them.
CREATE TABLE audit (
    id @id,
    at @int NOT NULL,
    actor @text NOT NULL,
    credential @text NOT NULL,
    action @text NOT NULL,
    project @text,
    repository @text,
    subject @text,
    digest @bytes,
    address @text,
    request_id @text,
    detail @text
) @strict;
CREATE INDEX audit_by_project ON audit (project, id);
CREATE INDEX audit_by_actor ON audit (actor, id);
CREATE INDEX audit_by_repository ON audit (repository, id);
CREATE INDEX audit_by_digest ON audit (digest, id) WHERE digest IS NOT NULL;

-- Work to do, leased by heartbeat. One waiting job per (kind, key): asking twice for the same work is asking once.
CREATE TABLE jobs (
    id @id,
    kind @text NOT NULL,
    key @text NOT NULL,
    payload @text NOT NULL,
    due_at @int NOT NULL,
    attempts @int NOT NULL DEFAULT 0,
    leased_by @text,
    leased_until @int,
    dead_at @int,
    last_error @text,
    created_at @int NOT NULL
) @strict;
CREATE UNIQUE INDEX jobs_waiting ON jobs (kind, key) WHERE leased_by IS NULL AND dead_at IS NULL;
CREATE INDEX jobs_due ON jobs (due_at) WHERE dead_at IS NULL;
CREATE INDEX jobs_by_key ON jobs (kind, key);

-- What others may want to hear, in commit order; trimmed by age whether anybody listens or not.
CREATE TABLE events (
    id @id,
    at @int NOT NULL,
    kind @text NOT NULL,
    payload @text NOT NULL
) @strict;

-- Digests that lost a reference and wait to be looked at by the collector.
CREATE TABLE reviews (
    id @id,
    repository_id @int,
    digest @bytes NOT NULL,
    reason @text NOT NULL,
    due_at @int NOT NULL
) @strict;
CREATE INDEX reviews_due ON reviews (due_at);
