"""Many rows at once, written into the database of a stopped Wharf: a million pushes over HTTP would take half a day.

The rows are those that pushes leave. Only the objects of the blobs are missing, which is why rows that read blobs' bytes are
seeded over HTTP, like everything else."""

import contextlib
import hashlib
import json
import sqlite3
import subprocess
import time

from postgres import DATABASE

BATCH = 100_000


def sha256(content):
    return b"\x01" + hashlib.sha256(content).digest()


def text(digest):
    return "sha256:" + digest[1:].hex()


def tag(n):
    return f"v{n:07d}"


def on(wharf, repo):
    """The open database of a stopped server, to be used in a with."""
    assert not wharf.alive(), "the database belongs to the server while it runs"
    return (Postgres if wharf.cluster else Sqlite)(wharf, repo)


LATEST = ("SELECT r.id, m.digest, m.media_type, b.content FROM repositories r"
          " JOIN tags t ON t.repository_id = r.id AND t.name = 'latest'"
          " JOIN manifests m ON m.repository_id = r.id AND m.digest = t.digest"
          " JOIN blobs b ON b.digest = m.digest WHERE r.name = '{repo}' AND r.deleted_at IS NULL")


class Fill:
    """An open database, and the repository that an image was pushed to under the tag latest."""

    def __init__(self, latest):
        self.now = int(time.time() * 1000)
        self.repository, self.latest, self.media_type, self.manifest = latest

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def batch(self):
        """What is inserted within is written at once."""
        raise NotImplementedError

    def insert(self, table, columns, rows):
        raise NotImplementedError

    def batches(self, start, end):
        for first in range(start, end, BATCH):
            with self.batch():
                yield range(first, min(first + BATCH, end))

    def blobs(self, start, end):
        """Blobs of a storage, number start up to end, linked to the repository."""
        for numbers in self.batches(start, end):
            rows = [(sha256(b"blob %d" % n), 1_000_000, "local", f"{n:032x}", self.now) for n in numbers]
            self.insert("blobs", "digest, size, storage, object, created_at", rows)
            self.insert("blob_links", "repository_id, digest, created_at", [(self.repository, row[0], self.now) for row in rows])

    def manifests(self, start, end, subject=None):
        """Manifests like the one under latest, each with its references and a tag; with a subject, referrers of it instead."""
        shape, repository, at = json.loads(self.manifest), self.repository, self.now
        # A layer that an image has twice is named once.
        layers = [b"\x01" + bytes.fromhex(digest[7:]) for digest in dict.fromkeys(layer["digest"] for layer in shape["layers"])]
        for numbers in self.batches(start, end):
            blobs, rows, references, tags = [], [], [], []
            for n in numbers:
                content = json.dumps(shape | {"annotations": {"n": str(n), "of": "referrer" if subject else "tag"}}).encode()
                digest = sha256(content)
                blobs.append((digest, len(content), content, at))
                annotations = json.dumps({"org.opencontainers.image.created": "2026-01-01T00:00:00Z", "n": str(n)})
                kind = f"application/vnd.example.kind{n % 4}" if subject else None
                rows.append((repository, digest, self.media_type, kind, subject, annotations if subject else None, len(content), at))
                references += [(repository, digest, layer, "layer") for layer in layers]
                if not subject:
                    tags.append((repository, tag(n), digest, at))
            self.insert("blobs", "digest, size, content, created_at", blobs)
            self.insert("manifests", "repository_id, digest, media_type, artifact_type, subject, annotations, size, pushed_at", rows)
            self.insert("manifest_references", "repository_id, manifest, target, kind", references)
            self.insert("tags", "repository_id, name, digest, updated_at", tags)


class Sqlite(Fill):
    def __init__(self, wharf, repo):
        self.db = sqlite3.connect(wharf.dir / "data" / "wharf.db", isolation_level=None)
        # What is lost with the power is measured by nobody.
        self.db.execute("PRAGMA synchronous = OFF")
        # The indexes of a million rows: their pages are hit at random.
        self.db.execute("PRAGMA cache_size = -2000000")
        super().__init__(self.db.execute(LATEST.format(repo=repo)).fetchone())

    def close(self):
        self.db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self.db.close()

    @contextlib.contextmanager
    def batch(self):
        self.db.execute("BEGIN")
        yield
        self.db.execute("COMMIT")

    def insert(self, table, columns, rows):
        values = ", ".join("?" for _ in columns.split(","))
        self.db.executemany(f"INSERT INTO {table} ({columns}) VALUES ({values})", rows)


class Postgres(Fill):
    """Through psql, so that nothing has to be installed."""

    def __init__(self, wharf, repo):
        self.cluster = wharf.cluster
        sql = LATEST.format(repo=repo).replace("m.digest, m", "encode(m.digest, 'hex'), m").replace("b.content", "encode(b.content, 'hex')")
        found = subprocess.run(self.cluster.psql("-c", sql), text=True, capture_output=True, check=True).stdout.strip()
        repository, digest, media_type, content = found.split("|")
        super().__init__((int(repository), bytes.fromhex(digest), media_type, bytes.fromhex(content)))
        self.psql = subprocess.Popen(self.cluster.psql("-f", "-"), stdin=subprocess.PIPE, stderr=subprocess.PIPE)
        # The rows are right by construction; checking each reference would take longer than writing it.
        self.say("SET session_replication_role = replica; SET synchronous_commit = off;")

    def say(self, sql):
        self.psql.stdin.write(sql.encode() + b"\n")

    def close(self):
        _, faults = self.psql.communicate()
        if self.psql.returncode:
            raise RuntimeError(f"psql: {faults.decode()[-600:]}")
        # What the server does by itself within minutes, and then not in the middle of a run.
        self.cluster.run("psql", "-Xqc", "VACUUM (ANALYZE)", "-c", "CHECKPOINT", "-d", DATABASE)

    @contextlib.contextmanager
    def batch(self):
        self.say("BEGIN;")
        yield
        self.say("COMMIT;")

    def insert(self, table, columns, rows):
        lines = "".join("\t".join(map(field, row)) + "\n" for row in rows)
        self.say(f"COPY {table} ({columns}) FROM STDIN;\n{lines}\\.")


def field(value):
    """A value as COPY reads it."""
    if value is None:
        return "\\N"
    if isinstance(value, bytes):
        return "\\\\x" + value.hex()
    return str(value).replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n")
