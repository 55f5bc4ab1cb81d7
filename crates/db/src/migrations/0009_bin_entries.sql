-- What the bin and the history of tags tell beyond where things pointed.

-- By which act a tag moved: 'push', 'delete', 'rollback', 'restore'. NULL was written by a program that did not say: with
-- new_digest NULL a deletion, otherwise a push.
ALTER TABLE tag_history ADD COLUMN action @text;

-- The project as the entry was made, so that its list pages by key; NULL once the project is gone.
ALTER TABLE bin ADD COLUMN project_id @int;
-- An entry that was restored, emptied or whose time was up stays for a while without its references, so that it can say so
-- and its number is not given again; `expires_at` then says how long.
ALTER TABLE bin ADD COLUMN ended_at @int;
ALTER TABLE bin ADD COLUMN outcome @text;
CREATE INDEX bin_by_project ON bin (project_id, id) WHERE project_id IS NOT NULL;

-- Repositories that were deleted when there was no bin get the week that the others have.
INSERT INTO bin (repository_id, kind, name, payload, actor, deleted_at, expires_at, project_id)
SELECT id, 'repository', name, '{}', 'wharf', deleted_at, deleted_at + 604800000, project_id
FROM repositories WHERE deleted_at IS NOT NULL;
