-- The highest number that an entry of the bin had whose row is gone, because its repository was destroyed: SQLite would give it
-- again. At most one row.
CREATE TABLE bin_numbers (
    id @int PRIMARY KEY CHECK (id = 1),
    last @int NOT NULL
) @strict;
