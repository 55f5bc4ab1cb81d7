-- What the collector needs beside the tables of removal.

-- Set when nothing uses a link: from then on pulls, checks and mounts do not see it, so that clients bring the bytes again; a
-- manifest that names it all the same takes it back. Some time later it goes.
ALTER TABLE blob_links ADD COLUMN expiring_at @int;
-- Each link is looked at once when it is old enough: by then something uses it, or nothing will.
CREATE INDEX blob_links_by_age ON blob_links (created_at, repository_id, digest);

-- Measured by the database's clock. Whoever dies with a lease only delays the work.
ALTER TABLE reviews ADD COLUMN leased_until @int NOT NULL DEFAULT 0;
CREATE INDEX reviews_by_digest ON reviews (digest, id);
ALTER TABLE doomed_objects ADD COLUMN leased_until @int NOT NULL DEFAULT 0;
CREATE INDEX doomed_objects_by_digest ON doomed_objects (digest);

-- The last link, in the order of blob_links_by_age, that was looked at.
CREATE TABLE link_cursor (
    id @int PRIMARY KEY CHECK (id = 1),
    created_at @int NOT NULL,
    repository_id @int NOT NULL,
    digest @bytes
) @strict;
INSERT INTO link_cursor (id, created_at, repository_id) VALUES (1, 0, 0);

-- What was purged, and when: a restore leaves out what the backup holds of it from before.
CREATE TABLE purges (
    id @id,
    digest @bytes,
    repository @text,
    actor @text NOT NULL,
    reason @text NOT NULL,
    at @int NOT NULL,
    CHECK ((digest IS NULL) <> (repository IS NULL))
) @strict;
CREATE INDEX purges_by_digest ON purges (digest) WHERE digest IS NOT NULL;

CREATE INDEX uploads_by_repository ON uploads (repository_id);
CREATE INDEX repositories_by_deletion ON repositories (deleted_at, id) WHERE deleted_at IS NOT NULL;
