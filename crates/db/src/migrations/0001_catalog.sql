-- Projects, repositories and what OCI repositories hold.

CREATE TABLE projects (
    id @id,
    name @text NOT NULL UNIQUE,
    public @int NOT NULL DEFAULT 0,
    created_at @int NOT NULL
) @strict;

-- `name` is the canonical full name: '<project>/<path>', in the project 'default' just '<path>' when it has one segment.
-- A deleted repository outlives its project; then it has none.
CREATE TABLE repositories (
    id @id,
    project_id @int REFERENCES projects (id),
    format @text NOT NULL,
    name @text NOT NULL,
    created_at @int NOT NULL,
    deleted_at @int
) @strict;
CREATE UNIQUE INDEX repositories_by_name ON repositories (format, name) WHERE deleted_at IS NULL;
CREATE INDEX repositories_by_project ON repositories (project_id, format, name);

-- Which storages this database has rows for, by the identity that each drew when it was made.
CREATE TABLE storages (
    name @text PRIMARY KEY,
    identity @text NOT NULL,
    bound_at @int NOT NULL
) @strict;

-- Objects that a survey found and no row points at. They go when they are found again long after; a database that was
-- restored from a backup must not take everything newer for rubbish.
CREATE TABLE orphans (
    object @text PRIMARY KEY,
    found_at @int NOT NULL
) @strict;

-- Bytes by digest, shared by everything. Small ones and manifests lie in `content`, others under a key of a storage;
-- the key is never used again, so removing an old object cannot harm a new push of the same digest.
CREATE TABLE blobs (
    digest @bytes PRIMARY KEY,
    size @int NOT NULL,
    content @bytes,
    storage @text,
    object @text,
    created_at @int NOT NULL,
    CHECK ((content IS NULL) = (object IS NOT NULL)),
    CHECK ((storage IS NULL) = (object IS NULL))
) @strict;
CREATE INDEX blobs_by_object ON blobs (object) WHERE object IS NOT NULL;

-- A blob is readable through a repository that links to it, and through no other.
CREATE TABLE blob_links (
    repository_id @int NOT NULL REFERENCES repositories (id),
    digest @bytes NOT NULL REFERENCES blobs (digest),
    created_at @int NOT NULL,
    PRIMARY KEY (repository_id, digest)
) @strict;
CREATE INDEX blob_links_by_digest ON blob_links (digest);

CREATE TABLE manifests (
    repository_id @int NOT NULL REFERENCES repositories (id),
    digest @bytes NOT NULL REFERENCES blobs (digest),
    media_type @text NOT NULL,
    artifact_type @text,
    subject @bytes,
    annotations @text,
    size @int NOT NULL,
    pushed_at @int NOT NULL,
    PRIMARY KEY (repository_id, digest)
) @strict;
CREATE INDEX manifests_by_digest ON manifests (digest);
CREATE INDEX manifests_by_subject ON manifests (repository_id, subject, digest) WHERE subject IS NOT NULL;
CREATE INDEX manifests_by_subject_type ON manifests (repository_id, subject, artifact_type, digest) WHERE subject IS NOT NULL;

-- What a manifest names: 'config', 'layer', 'manifest'. A target need not be here (sparse indexes, foreign layers).
CREATE TABLE manifest_references (
    repository_id @int NOT NULL,
    manifest @bytes NOT NULL,
    target @bytes NOT NULL,
    kind @text NOT NULL,
    PRIMARY KEY (repository_id, manifest, target, kind),
    FOREIGN KEY (repository_id, manifest) REFERENCES manifests (repository_id, digest) ON DELETE CASCADE
) @strict;
CREATE INDEX manifest_references_by_target ON manifest_references (target, repository_id);

CREATE TABLE tags (
    repository_id @int NOT NULL REFERENCES repositories (id),
    name @text NOT NULL,
    digest @bytes NOT NULL,
    updated_at @int NOT NULL,
    PRIMARY KEY (repository_id, name),
    FOREIGN KEY (repository_id, digest) REFERENCES manifests (repository_id, digest)
) @strict;
CREATE INDEX tags_by_digest ON tags (repository_id, digest);

-- Every move of a tag; `old_digest` NULL is a creation, `new_digest` NULL a deletion.
CREATE TABLE tag_history (
    id @id,
    repository_id @int NOT NULL REFERENCES repositories (id),
    tag @text NOT NULL,
    old_digest @bytes,
    new_digest @bytes,
    actor @text NOT NULL,
    at @int NOT NULL
) @strict;
CREATE INDEX tag_history_by_tag ON tag_history (repository_id, tag, id);

-- An upload in progress. Up to 16 KiB stay in `tail`; beyond that the bytes lie under `object`, and `progress` is what the
-- storage must know to go on. `revision` is compared and swapped by every step, so that one writer wins.
CREATE TABLE uploads (
    id @text PRIMARY KEY,
    repository_id @int NOT NULL REFERENCES repositories (id),
    storage @text,
    object @text,
    received @int NOT NULL,
    progress @bytes NOT NULL,
    tail @bytes NOT NULL,
    midstate @bytes NOT NULL,
    revision @int NOT NULL,
    created_at @int NOT NULL,
    updated_at @int NOT NULL
) @strict;
CREATE INDEX uploads_by_age ON uploads (updated_at);
