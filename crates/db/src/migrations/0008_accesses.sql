-- The other half of the audit log: what was read, who signed in, who was refused. Lines are collected in memory and written
-- in batches, each for all that was the same within some seconds: `times` between `at` and `last_at`.

CREATE TABLE accesses (
    id @id,
    at @int NOT NULL,
    last_at @int NOT NULL,
    times @int NOT NULL,
    actor @text NOT NULL,
    credential @text NOT NULL,
    action @text NOT NULL,
    outcome @text NOT NULL,
    project @text,
    repository @text,
    subject @text,
    digest @bytes,
    address @text,
    request_id @text,
    detail @text
) @strict;
CREATE INDEX accesses_by_time ON accesses (at, id);
CREATE INDEX accesses_by_actor ON accesses (actor, at, id);
CREATE INDEX accesses_by_project ON accesses (project, at, id) WHERE project IS NOT NULL;
CREATE INDEX accesses_by_repository ON accesses (repository, at, id) WHERE repository IS NOT NULL;
CREATE INDEX accesses_by_digest ON accesses (digest, at, id) WHERE digest IS NOT NULL;
CREATE INDEX accesses_by_address ON accesses (address, at, id) WHERE address IS NOT NULL;

-- Both halves are read as one, by time.
DROP INDEX audit_by_project;
DROP INDEX audit_by_actor;
DROP INDEX audit_by_repository;
DROP INDEX audit_by_digest;
CREATE INDEX audit_by_time ON audit (at, id);
CREATE INDEX audit_by_actor_time ON audit (actor, at, id);
CREATE INDEX audit_by_project_time ON audit (project, at, id) WHERE project IS NOT NULL;
CREATE INDEX audit_by_repository_time ON audit (repository, at, id) WHERE repository IS NOT NULL;
CREATE INDEX audit_by_digest_time ON audit (digest, at, id) WHERE digest IS NOT NULL;
