-- Formats that publish an index: packages, generations of index files, keys that sign them.

-- A file that clients fetch by its path. What lists it are its placements; a file that nothing lists is part of another package.
-- `sorts_as` is where lists have it; NULL is by arrival.
CREATE TABLE packages (
    id @id,
    repository_id @int NOT NULL REFERENCES repositories (id),
    path @text NOT NULL,
    name @text NOT NULL,
    version @text NOT NULL,
    architecture @text NOT NULL,
    digest @bytes NOT NULL REFERENCES blobs (digest),
    size @int NOT NULL,
    sorts_as @text,
    created_at @int NOT NULL
) @strict;
CREATE UNIQUE INDEX packages_by_path ON packages (repository_id, path);
CREATE INDEX packages_by_name ON packages (repository_id, name, version);
CREATE INDEX packages_by_digest ON packages (digest);

-- What indexes say of a package, by the kind of index: made when it came.
CREATE TABLE package_fragments (
    package_id @int NOT NULL REFERENCES packages (id) ON DELETE CASCADE,
    kind @text NOT NULL,
    content @bytes NOT NULL,
    PRIMARY KEY (package_id, kind)
) @strict;

-- Which lists a package stands in: a part of a channel's index, ordered by `position`.
CREATE TABLE placements (
    repository_id @int NOT NULL REFERENCES repositories (id),
    channel @text NOT NULL,
    part @text NOT NULL,
    position @text NOT NULL,
    package_id @int NOT NULL REFERENCES packages (id) ON DELETE CASCADE,
    PRIMARY KEY (repository_id, channel, part, position)
) @strict;
CREATE UNIQUE INDEX placements_by_package ON placements (package_id, channel, part);

-- Positions that have changed since the channel's current generation was made.
CREATE TABLE package_changes (
    id @id,
    repository_id @int NOT NULL REFERENCES repositories (id),
    channel @text NOT NULL,
    part @text NOT NULL,
    position @text NOT NULL
) @strict;
CREATE INDEX package_changes_by_channel ON package_changes (repository_id, channel, id);

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
    sha512 @bytes,
    size @int NOT NULL,
    -- Midstates of the file's hashes at the ends of some segments, so that the next generation's file is hashed from there on.
    checkpoints @bytes NOT NULL,
    PRIMARY KEY (generation_id, path)
) @strict;
CREATE INDEX generation_files_by_digest ON generation_files (repository_id, digest);
CREATE INDEX generation_files_by_sha512 ON generation_files (repository_id, sha512) WHERE sha512 IS NOT NULL;

CREATE TABLE generation_segments (
    generation_id @int NOT NULL,
    path @text NOT NULL,
    position @int NOT NULL,
    digest @bytes NOT NULL REFERENCES blobs (digest),
    PRIMARY KEY (generation_id, path, position),
    FOREIGN KEY (generation_id, path) REFERENCES generation_files (generation_id, path) ON DELETE CASCADE
) @strict;
CREATE INDEX generation_segments_by_digest ON generation_segments (digest);

-- What a list is made of: each piece says of the packages from `first` to `last` what the format makes of them.
-- `encodings` (JSON) has its compressed forms. A piece in which no position has changed is taken over by the next generation.
CREATE TABLE generation_pieces (
    generation_id @int NOT NULL REFERENCES generations (id),
    part @text NOT NULL,
    kind @text NOT NULL,
    number @int NOT NULL,
    first @text NOT NULL,
    last @text NOT NULL,
    entries @int NOT NULL,
    digest @bytes NOT NULL REFERENCES blobs (digest),
    size @int NOT NULL,
    encodings @text NOT NULL,
    PRIMARY KEY (generation_id, part, kind, number)
) @strict;
CREATE INDEX generation_pieces_by_digest ON generation_pieces (digest);

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
