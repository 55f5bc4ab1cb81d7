-- Snapshots: generations that stay, under a name, with the files that they list; and generations by when they were followed.

CREATE TABLE snapshots (
    id @id,
    repository_id @int NOT NULL REFERENCES repositories (id),
    name @text NOT NULL,
    channel @text NOT NULL,
    generation_id @int NOT NULL REFERENCES generations (id),
    packages @int NOT NULL,
    created_by @text NOT NULL,
    created_at @int NOT NULL
) @strict;
CREATE UNIQUE INDEX snapshots_by_name ON snapshots (repository_id, name);
CREATE INDEX snapshots_by_generation ON snapshots (generation_id);

-- The files a snapshot needs: those that its index lists, and those that no index lists, which are parts of others.
CREATE TABLE snapshot_packages (
    snapshot_id @int NOT NULL REFERENCES snapshots (id),
    name @text NOT NULL,
    architecture @text NOT NULL,
    version @text NOT NULL,
    package_id @int NOT NULL REFERENCES packages (id) ON DELETE CASCADE,
    digest @bytes NOT NULL,
    listed @int NOT NULL,
    PRIMARY KEY (snapshot_id, name, architecture, version, package_id)
) @strict;
CREATE INDEX snapshot_packages_by_package ON snapshot_packages (package_id);

-- Out of all lists, but for those of snapshots: with the last of them the row goes.
ALTER TABLE packages ADD COLUMN removed_at @int;
CREATE INDEX packages_removed ON packages (repository_id, id) WHERE removed_at IS NOT NULL;

-- The snapshot that clients of the channel see; NULL is the newest generation.
ALTER TABLE generation_heads ADD COLUMN snapshot_id @int REFERENCES snapshots (id);
CREATE INDEX generation_heads_by_snapshot ON generation_heads (snapshot_id) WHERE snapshot_id IS NOT NULL;

CREATE INDEX generations_by_retirement ON generations (repository_id, channel, retired_at) WHERE retired_at IS NOT NULL;
CREATE INDEX generations_retired ON generations (retired_at) WHERE retired_at IS NOT NULL;
