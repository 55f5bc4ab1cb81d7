-- OpenPGP: keys of repositories, and keys whose owners a project trusts.

-- NULL for keys of other kinds. `public` and the sealed `secret` are OpenPGP packets.
ALTER TABLE signing_keys ADD COLUMN fingerprint @text;
CREATE UNIQUE INDEX signing_keys_by_fingerprint ON signing_keys (repository_id, fingerprint)
    WHERE fingerprint IS NOT NULL AND retired_at IS NULL;

-- The numbers of the OpenPGP keys that signed a generation, so that an index is signed again when keys change.
ALTER TABLE generations ADD COLUMN signed_by @text;

CREATE TABLE project_keys (
    id @id,
    project_id @int NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    fingerprint @text NOT NULL,
    public @bytes NOT NULL,
    added_by @text NOT NULL,
    created_at @int NOT NULL
) @strict;
CREATE UNIQUE INDEX project_keys_by_fingerprint ON project_keys (project_id, fingerprint);
