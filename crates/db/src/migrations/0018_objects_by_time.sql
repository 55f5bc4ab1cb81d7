-- Keys of objects begin with a random byte and go on with the time. Without that byte new ones lie side by side at the end of the index:
-- a push writes no page for itself, and the collector takes whole pages. PostgreSQL, where two versions may run, keeps the index it has.
@sqlite
DROP INDEX blobs_by_object;
CREATE INDEX blobs_by_object ON blobs (substr(object, 3)) WHERE object IS NOT NULL;
