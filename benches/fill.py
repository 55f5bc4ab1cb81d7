"""Many rows at once, written into the database of a stopped Wharf: a million pushes over HTTP would take half a day.

The rows are those that pushes leave. Only the objects of the blobs are missing, which is why rows that read blobs' bytes are
seeded over HTTP, like everything else."""

import hashlib
import json
import sqlite3
import time

BATCH = 20_000


def sha256(content):
    return b"\x01" + hashlib.sha256(content).digest()


def text(digest):
    return "sha256:" + digest[1:].hex()


def tag(n):
    return f"v{n:07d}"


class Fill:
    """An open database, and the repository that an image was pushed to under the tag latest."""

    def __init__(self, wharf, repo):
        assert not wharf.alive(), "the database belongs to the server while it runs"
        self.db = sqlite3.connect(wharf.dir / "data" / "wharf.db", isolation_level=None)
        # What is lost with the power is measured by nobody.
        self.db.execute("PRAGMA synchronous = OFF")
        self.now = int(time.time() * 1000)
        row = self.db.execute("SELECT r.id, m.digest, m.media_type, b.content FROM repositories r"
                              " JOIN tags t ON t.repository_id = r.id AND t.name = 'latest'"
                              " JOIN manifests m ON m.repository_id = r.id AND m.digest = t.digest"
                              " JOIN blobs b ON b.digest = m.digest WHERE r.name = ? AND r.deleted_at IS NULL", (repo,))
        self.repository, self.latest, self.media_type, self.manifest = row.fetchone()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self.db.close()

    def batches(self, start, end):
        for first in range(start, end, BATCH):
            self.db.execute("BEGIN")
            yield range(first, min(first + BATCH, end))
            self.db.execute("COMMIT")

    def many(self, sql, rows):
        self.db.executemany(sql, rows)

    def blobs(self, start, end):
        """Blobs of a storage, number start up to end, linked to the repository."""
        for numbers in self.batches(start, end):
            rows = [(sha256(b"blob %d" % n), f"{n:032x}") for n in numbers]
            self.many("INSERT INTO blobs (digest, size, storage, object, created_at)"
                      f" VALUES (?, 1000000, 'local', ?, {self.now})", rows)
            self.many("INSERT INTO blob_links (repository_id, digest, created_at)"
                      f" VALUES ({self.repository}, ?, {self.now})", [row[:1] for row in rows])

    def manifests(self, start, end, subject=None):
        """Manifests like the one under latest, each with its references and a tag; with a subject, referrers of it instead."""
        shape = json.loads(self.manifest)
        for numbers in self.batches(start, end):
            blobs, rows, references, tags = [], [], [], []
            for n in numbers:
                content = json.dumps(shape | {"annotations": {"n": str(n), "of": "referrer" if subject else "tag"}}).encode()
                digest = sha256(content)
                blobs.append((digest, len(content), content))
                annotations = json.dumps({"org.opencontainers.image.created": "2026-01-01T00:00:00Z", "n": str(n)})
                kind = f"application/vnd.example.kind{n % 4}" if subject else None
                rows.append((digest, kind, subject, annotations if subject else None, len(content)))
                for layer in shape["layers"]:
                    references.append((digest, b"\x01" + bytes.fromhex(layer["digest"][7:])))
                if not subject:
                    tags.append((tag(n), digest))
            at, repository = self.now, self.repository
            self.many(f"INSERT INTO blobs (digest, size, content, created_at) VALUES (?, ?, ?, {at})", blobs)
            self.many("INSERT INTO manifests (repository_id, digest, media_type, artifact_type, subject, annotations, size, pushed_at)"
                      f" VALUES ({repository}, ?, '{self.media_type}', ?, ?, ?, ?, {at})", rows)
            self.many("INSERT OR IGNORE INTO manifest_references (repository_id, manifest, target, kind)"
                      f" VALUES ({repository}, ?, ?, 'layer')", references)
            self.many(f"INSERT INTO tags (repository_id, name, digest, updated_at) VALUES ({repository}, ?, ?, {at})", tags)
