-- Backups, restores, and what the scrub found.

-- Set when the bytes are not what the digest says, or are gone: nobody is served them, and whoever pushes the digest again
-- replaces them.
ALTER TABLE blobs ADD COLUMN damaged_at @int;

-- Backups that were asked for. `id` grows with time.
CREATE TABLE backups (
    id @int PRIMARY KEY,
    destination @text NOT NULL,
    actor @text NOT NULL,
    state @text NOT NULL CHECK (state IN ('waiting', 'running', 'done', 'incomplete', 'failed')),
    asked_at @int NOT NULL,
    started_at @int,
    finished_at @int,
    snapshot @text,
    rows_done @int NOT NULL DEFAULT 0,
    blobs_done @int NOT NULL DEFAULT 0,
    blobs_total @int NOT NULL DEFAULT 0,
    bytes_done @int NOT NULL DEFAULT 0,
    bytes_total @int NOT NULL DEFAULT 0,
    missing @int NOT NULL DEFAULT 0,
    error @text
) @strict;

-- At most one row: the snapshot that this database was filled from. Until finished_at is set nothing else may use it.
CREATE TABLE restores (
    id @int PRIMARY KEY CHECK (id = 1),
    snapshot @text NOT NULL,
    begun_at @int NOT NULL,
    finished_at @int
) @strict;

-- Blobs whose damaged_at is set: what was wrong, and what became of it.
CREATE TABLE quarantine (
    digest @bytes PRIMARY KEY,
    size @int NOT NULL,
    object @text,
    problem @text NOT NULL,
    found_at @int NOT NULL,
    tried_at @int
) @strict;

-- How far the blobs have been read. Several may read ahead of one another; the cursor only grows within a pass.
CREATE TABLE scrub (
    id @int PRIMARY KEY CHECK (id = 1),
    cursor @bytes,
    begun_at @int,
    finished_at @int,
    blobs @int NOT NULL DEFAULT 0,
    bytes @int NOT NULL DEFAULT 0,
    damaged @int NOT NULL DEFAULT 0
) @strict;
INSERT INTO scrub (id) VALUES (1);
