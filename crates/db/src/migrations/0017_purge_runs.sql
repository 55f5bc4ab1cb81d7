-- A purge that was cut off goes on, and one that could not be told to the places of backups tries again.

-- What was purged by one order.
ALTER TABLE purges ADD COLUMN run @int;
-- The row of the repository, where it is one: its name may be another's by then.
ALTER TABLE purges ADD COLUMN repository_id @int;
CREATE INDEX purges_by_run ON purges (run, id) WHERE run IS NOT NULL;

-- What a run has still to look at: written down before what names it goes. In the order in which it was found.
CREATE TABLE purge_candidates (
    id @id,
    run @int NOT NULL,
    digest @bytes NOT NULL,
    repository_id @int NOT NULL,
    -- Whether it was here: what a manifest names need not be.
    was_here @int NOT NULL
) @strict;
CREATE UNIQUE INDEX purge_candidates_by_run ON purge_candidates (run, digest, repository_id);
