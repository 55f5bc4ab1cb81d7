-- Links lie by their digest first: so one tree says both what a repository has and who has a digest, and a push or a removal writes one
-- page less. What a repository has at all is found in the order of the rows. PostgreSQL, where two versions may run, keeps its trees.
@sqlite
CREATE TABLE links (
    repository_id @int NOT NULL REFERENCES repositories (id),
    digest @bytes NOT NULL REFERENCES blobs (digest),
    created_at @int NOT NULL,
    expiring_at @int,
    PRIMARY KEY (digest, repository_id)
) @strict;
INSERT INTO links (repository_id, digest, created_at, expiring_at)
    SELECT repository_id, digest, created_at, expiring_at FROM blob_links ORDER BY rowid;
DROP TABLE blob_links;
ALTER TABLE links RENAME TO blob_links;
CREATE INDEX blob_links_by_repository ON blob_links (repository_id);
CREATE INDEX blob_links_by_age ON blob_links (created_at, repository_id, digest);
