-- A page of referrers comes out of the index alone: its manifests were pushed at different times, and lie everywhere in the table.
-- PostgreSQL takes no index rows as long as annotations may be.
@sqlite
DROP INDEX manifests_by_subject;
DROP INDEX manifests_by_subject_type;
CREATE INDEX manifests_by_subject
    ON manifests (repository_id, subject, digest, media_type, artifact_type, annotations, size, pushed_at)
    WHERE subject IS NOT NULL;
CREATE INDEX manifests_by_subject_type
    ON manifests (repository_id, subject, artifact_type, digest, media_type, annotations, size, pushed_at)
    WHERE subject IS NOT NULL;
