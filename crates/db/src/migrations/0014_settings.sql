-- What a format was told about a repository (the channel is empty) or about one channel of it. JSON, as the format reads it.
CREATE TABLE repository_settings (
    repository_id @int NOT NULL REFERENCES repositories (id),
    channel @text NOT NULL,
    content @text NOT NULL,
    PRIMARY KEY (repository_id, channel)
) @strict;
