-- The recycle bin, what waits for removal, and rules for tags.

-- What was deleted and can still be restored. A tag needs no more than its name and digest; a manifest takes its row, its
-- references and its tags along in `payload` (JSON); a repository is its own row with deleted_at, and the entry says until when.
CREATE TABLE bin (
    id @id,
    repository_id @int NOT NULL REFERENCES repositories (id),
    kind @text NOT NULL CHECK (kind IN ('tag', 'manifest', 'repository')),
    name @text NOT NULL,
    digest @bytes,
    payload @text NOT NULL,
    actor @text NOT NULL,
    deleted_at @int NOT NULL,
    expires_at @int NOT NULL
) @strict;
CREATE INDEX bin_by_repository ON bin (repository_id, id);
CREATE INDEX bin_by_digest ON bin (repository_id, digest) WHERE digest IS NOT NULL;
CREATE INDEX bin_expiring ON bin (expires_at);

-- The digests that an entry needs to be whole again: the collector keeps them and the repository's links to them.
CREATE TABLE bin_references (
    bin_id @int NOT NULL REFERENCES bin (id) ON DELETE CASCADE,
    repository_id @int NOT NULL,
    digest @bytes NOT NULL,
    PRIMARY KEY (bin_id, digest)
) @strict;
CREATE INDEX bin_references_by_digest ON bin_references (digest, repository_id);

-- Objects whose blob row is gone. Row before bytes, so a crash in between leaves work to do and no dangling row; the wait lets
-- pulls that have read the row come to their end.
CREATE TABLE doomed_objects (
    object @text PRIMARY KEY,
    storage @text NOT NULL,
    size @int NOT NULL,
    digest @bytes,
    doomed_at @int NOT NULL,
    due_at @int NOT NULL
) @strict;
CREATE INDEX doomed_objects_due ON doomed_objects (due_at);

-- Who needs objects to stay: while a pin lives, no object goes that was doomed after `since`. It ends with its holder or, when
-- that has died, at `expires_at`, which the holder moves on.
CREATE TABLE pins (
    id @id,
    holder @text NOT NULL,
    since @int NOT NULL,
    expires_at @int NOT NULL
) @strict;

-- Tags of a project that must not move once they are there: those that fit `pattern` and none of `exclusions` (JSON list).
CREATE TABLE tag_rules (
    id @id,
    project_id @int NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    name @text NOT NULL,
    repositories @text NOT NULL,
    pattern @text NOT NULL,
    exclusions @text NOT NULL,
    created_at @int NOT NULL
) @strict;
CREATE UNIQUE INDEX tag_rules_by_name ON tag_rules (project_id, name);
