-- Who may act, by which credential, and on what.

-- One row: the instance key that secrets in this database are sealed with. The key itself lies outside.
CREATE TABLE instance (
    id @int PRIMARY KEY CHECK (id = 1),
    key_id @text NOT NULL,
    created_at @int NOT NULL
) @strict;

-- The sum is raised in the transaction of every change to what authorization reads, so that copies know when they are old.
-- Several rows, because transactions that raise the same one get into each other's way.
CREATE TABLE identity_epoch (
    id @int PRIMARY KEY,
    epoch @int NOT NULL
) @strict;
INSERT INTO identity_epoch (id, epoch) VALUES (0, 1), (1, 0), (2, 0), (3, 0), (4, 0), (5, 0), (6, 0), (7, 0);

-- Whoever can hold a grant: 'user', 'robot', 'group'. `generation` is drawn at random at birth and again when sessions must end;
-- registry tokens name it, so they end with it and never fit a later row that got the same id.
CREATE TABLE subjects (
    id @id,
    kind @text NOT NULL CHECK (kind IN ('user', 'robot', 'group')),
    name @text NOT NULL,
    project_id @int REFERENCES projects (id) ON DELETE CASCADE,
    description @text NOT NULL DEFAULT '',
    password @text,
    generation @int NOT NULL,
    created_at @int NOT NULL,
    disabled_at @int,
    last_used_at @int
) @strict;
-- Users and robots sign in with their names; two that differ in case only would be taken for each other.
CREATE UNIQUE INDEX subjects_by_login ON subjects (lower(name)) WHERE kind <> 'group';
CREATE UNIQUE INDEX subjects_by_group ON subjects (lower(name)) WHERE kind = 'group';
CREATE INDEX subjects_by_kind ON subjects (kind, name);
CREATE INDEX subjects_by_project ON subjects (project_id, name) WHERE project_id IS NOT NULL;

-- Personal tokens of users and secrets of robots. `limits` is JSON; NULL is a token as good as its owner.
CREATE TABLE tokens (
    id @id,
    subject_id @int NOT NULL REFERENCES subjects (id) ON DELETE CASCADE,
    name @text NOT NULL,
    hash @bytes NOT NULL UNIQUE,
    hint @text NOT NULL,
    limits @text,
    created_at @int NOT NULL,
    expires_at @int,
    last_used_at @int
) @strict;
CREATE INDEX tokens_by_subject ON tokens (subject_id, id);

CREATE TABLE members (
    group_id @int NOT NULL REFERENCES subjects (id) ON DELETE CASCADE,
    user_id @int NOT NULL REFERENCES subjects (id) ON DELETE CASCADE,
    PRIMARY KEY (group_id, user_id)
) @strict;
CREATE INDEX members_by_user ON members (user_id, group_id);

CREATE TABLE server_roles (
    subject_id @int NOT NULL REFERENCES subjects (id) ON DELETE CASCADE,
    role @text NOT NULL,
    PRIMARY KEY (subject_id, role)
) @strict;

-- `pattern` is a glob over paths inside the project; '**' is all of it.
CREATE TABLE grants (
    subject_id @int NOT NULL REFERENCES subjects (id) ON DELETE CASCADE,
    project_id @int NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    pattern @text NOT NULL,
    role @text NOT NULL,
    created_at @int NOT NULL,
    PRIMARY KEY (subject_id, project_id, pattern)
) @strict;
CREATE INDEX grants_by_project ON grants (project_id, subject_id, pattern);
