-- Packages in several lists, and lists in pieces, so that a change makes again only what it touches.

-- What indexes say of a package, by the kind of index: made when it came.
CREATE TABLE package_fragments (
    package_id @int NOT NULL REFERENCES packages (id) ON DELETE CASCADE,
    kind @text NOT NULL,
    content @bytes NOT NULL,
    PRIMARY KEY (package_id, kind)
) @strict;
INSERT INTO package_fragments (package_id, kind, content) SELECT id, 'index', fragment FROM packages;

-- Which lists a package stands in: a part of a channel's index, ordered by `position`. A file that no list names is part of
-- another package.
CREATE TABLE placements (
    repository_id @int NOT NULL REFERENCES repositories (id),
    channel @text NOT NULL,
    part @text NOT NULL,
    position @text NOT NULL,
    package_id @int NOT NULL REFERENCES packages (id) ON DELETE CASCADE,
    PRIMARY KEY (repository_id, channel, part, position)
) @strict;
CREATE UNIQUE INDEX placements_by_package ON placements (package_id, channel, part);
INSERT INTO placements (repository_id, channel, part, position, package_id)
SELECT repository_id, channel, '', path, id FROM packages;

-- Where lists have a package; NULL is by arrival.
ALTER TABLE packages ADD COLUMN sorts_as @text;
UPDATE packages SET sorts_as = path;
DROP INDEX packages_by_channel;
ALTER TABLE packages DROP COLUMN channel;
ALTER TABLE packages DROP COLUMN fragment;

-- Positions that have changed since the channel's current generation was made.
CREATE TABLE package_changes (
    id @id,
    repository_id @int NOT NULL REFERENCES repositories (id),
    channel @text NOT NULL,
    part @text NOT NULL,
    position @text NOT NULL
) @strict;
CREATE INDEX package_changes_by_channel ON package_changes (repository_id, channel, id);

ALTER TABLE generation_files ADD COLUMN sha512 @bytes;
-- Midstates of the file's hashes at the ends of some segments, so that the next generation's file is hashed from there on.
ALTER TABLE generation_files ADD COLUMN checkpoints @bytes;
CREATE INDEX generation_files_by_sha512 ON generation_files (repository_id, sha512) WHERE sha512 IS NOT NULL;

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

-- A program that does not know lists would read columns that are gone.
INSERT INTO schema_floor (number) VALUES (10);
