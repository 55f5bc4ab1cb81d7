-- Formats that publish an index: packages, generations of index files, keys that sign them.

CREATE TABLE packages (
    id @id,
    repository_id @int NOT NULL REFERENCES repositories (id),
    path @text NOT NULL,
    name @text NOT NULL,
    version @text NOT NULL,
    architecture @text NOT NULL,
    digest @bytes NOT NULL REFERENCES blobs (digest),
    size @int NOT NULL,
    channel @text NOT NULL,
    fragment @bytes NOT NULL,
    created_at @int NOT NULL
) @strict;
CREATE UNIQUE INDEX packages_by_path ON packages (repository_id, path);
CREATE INDEX packages_by_name ON packages (repository_id, name, version);
CREATE INDEX packages_by_channel ON packages (repository_id, channel, path);
CREATE INDEX packages_by_digest ON packages (digest);

-- A generation is complete before a head points at it, and does not change afterwards.
CREATE TABLE generations (
    id @id,
    repository_id @int NOT NULL REFERENCES repositories (id),
    channel @text NOT NULL,
    created_at @int NOT NULL,
    retired_at @int
) @strict;
CREATE INDEX generations_by_channel ON generations (repository_id, channel, id);

-- A file of a generation is the concatenation of its segments, which other generations may share.
CREATE TABLE generation_files (
    generation_id @int NOT NULL REFERENCES generations (id),
    path @text NOT NULL,
    repository_id @int NOT NULL,
    media_type @text NOT NULL,
    digest @bytes NOT NULL,
    size @int NOT NULL,
    PRIMARY KEY (generation_id, path)
) @strict;
CREATE INDEX generation_files_by_digest ON generation_files (repository_id, digest);

CREATE TABLE generation_segments (
    generation_id @int NOT NULL,
    path @text NOT NULL,
    position @int NOT NULL,
    digest @bytes NOT NULL REFERENCES blobs (digest),
    PRIMARY KEY (generation_id, path, position),
    FOREIGN KEY (generation_id, path) REFERENCES generation_files (generation_id, path) ON DELETE CASCADE
) @strict;
CREATE INDEX generation_segments_by_digest ON generation_segments (digest);

CREATE TABLE generation_heads (
    repository_id @int NOT NULL REFERENCES repositories (id),
    channel @text NOT NULL,
    generation_id @int NOT NULL REFERENCES generations (id),
    PRIMARY KEY (repository_id, channel)
) @strict;

-- `secret` is encrypted with the instance key whose id stands beside it.
CREATE TABLE signing_keys (
    id @id,
    repository_id @int NOT NULL REFERENCES repositories (id),
    kind @text NOT NULL,
    public @bytes NOT NULL,
    secret @bytes NOT NULL,
    created_at @int NOT NULL,
    retired_at @int
) @strict;
CREATE INDEX signing_keys_by_repository ON signing_keys (repository_id, id);
