-- Blobs whose bytes could not be read, though nobody knows them to be wrong: they are served as before, and read again later.
CREATE TABLE unread (
    digest @bytes PRIMARY KEY,
    object @text,
    problem @text NOT NULL,
    found_at @int NOT NULL,
    tried_at @int NOT NULL
) @strict;
CREATE INDEX unread_by_try ON unread (tried_at, digest);

-- Damaged ones are read again, and looked for in the backup, from time to time.
UPDATE quarantine SET tried_at = found_at WHERE tried_at IS NULL;
CREATE INDEX quarantine_by_try ON quarantine (tried_at, digest);

ALTER TABLE scrub ADD COLUMN unread @int NOT NULL DEFAULT 0;
