"""Deletes rows and files as a collector does and nothing else: what no collector on this machine can be cheaper than.

    bare.py fill FOLDER COUNT        a database with a blob and a link in each of COUNT rows, and a file of 20 kB for each
    bare.py drop FOLDER COUNT RATE   all of it goes again, so many a second; prints the processor time of one in microseconds
"""

import hashlib
import os
import sqlite3
import sys
import time

SIZE = 20_000
STEP = 8  # blobs a transaction, as Wharf's collector takes them while it keeps to its rate
FOLDERS = 256
TABLES = """
    PRAGMA journal_mode = wal;
    CREATE TABLE blobs (digest BLOB PRIMARY KEY, size INTEGER NOT NULL, object TEXT NOT NULL);
    CREATE TABLE links (repository INTEGER NOT NULL, digest BLOB NOT NULL, created_at INTEGER NOT NULL,
                        PRIMARY KEY (digest, repository));
    CREATE INDEX links_by_repository ON links (repository);
    CREATE INDEX links_by_age ON links (created_at, repository, digest);
"""


def digest(number):
    return hashlib.sha256(number.to_bytes(8, "big")).digest()


def path(folder, number):
    return f"{folder}/{number % FOLDERS:02x}/{number}"


def database(folder):
    connection = sqlite3.connect(f"{folder}/bare.db", isolation_level=None)
    connection.execute("PRAGMA synchronous = normal")
    return connection


def fill(folder, count):
    for number in range(FOLDERS):
        os.makedirs(f"{folder}/{number:02x}")
    connection = database(folder)
    connection.executescript(TABLES)
    connection.execute("BEGIN")
    connection.executemany("INSERT INTO blobs VALUES (?, ?, ?)", ((digest(n), SIZE, path("", n)) for n in range(count)))
    connection.executemany("INSERT INTO links VALUES (1, ?, ?)", ((digest(n), n) for n in range(count)))
    connection.execute("COMMIT")
    connection.close()
    content = os.urandom(SIZE)
    for number in range(count):
        with open(path(folder, number), "wb") as file:
            file.write(content)


def drop(folder, count, rate):
    connection = database(folder)
    digests = [(digest(number),) for number in range(count)]
    begin, busy = time.monotonic(), time.process_time()
    for first in range(0, count, STEP):
        some = range(first, min(first + STEP, count))
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany("DELETE FROM links WHERE digest = ? AND repository = 1", [digests[n] for n in some])
        connection.executemany("DELETE FROM blobs WHERE digest = ?", [digests[n] for n in some])
        connection.execute("COMMIT")
        for number in some:
            os.unlink(path(folder, number))
        ahead = begin + some.stop / rate - time.monotonic()
        if ahead > 0:
            time.sleep(ahead)
    print((time.process_time() - busy) / count * 1e6)


if __name__ == "__main__":
    command, folder, *numbers = sys.argv[1:]
    {"fill": fill, "drop": drop}[command](folder, *map(int, numbers))
