"""Adds one package to a large repository, and updates clients from it: Wharf and its peers in one run."""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import charts
import debs
import rpms
from servers import Nginx, Wharf, stop_all
from upload import Uploads

KINDS = {"deb": debs, "rpm": rpms, "chart": charts}


class Bench:
    """What a server wants to know, and what all kinds share."""

    def __init__(self, options):
        self.work = Path(tempfile.mkdtemp(prefix="packages-", dir=options.work))
        self.wharf_bin = options.wharf
        self.bin = Path(os.environ["BENCH_HOME"]) / "bin"
        self.server_cpu, self.on = "0-1", "sqlite"
        self.rounds = options.rounds
        self.rows = []

    def folder(self, name):
        path = self.work / name
        path.mkdir(parents=True, exist_ok=True)
        return path

    def run(self, *command, **options):
        """Seconds that a program takes; what it says is shown if it fails."""
        begin = time.perf_counter()
        done = subprocess.run([str(c) for c in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **options)
        if done.returncode:
            sys.exit(f"{' '.join(map(str, command))[:200]}: {done.stdout.decode()[-2000:]}")
        return time.perf_counter() - begin

    def median(self, work):
        return statistics.median(work(n) for n in range(self.rounds))

    def paired(self, ours, theirs):
        """Medians of two that are run in turns, so that both meet the same machine."""
        seconds = {ours: [], theirs: []}
        for number in range(self.rounds):
            for work in (ours, theirs) if number % 2 else (theirs, ours):
                seconds[work].append(work(number))
        return statistics.median(seconds[ours]), statistics.median(seconds[theirs])

    def row(self, what, wharf, peer, named):
        self.rows.append((what, wharf, peer, named))
        print(f"{what:44} {wharf:9.3f} s   {named:22} {peer:9.3f} s   ratio {peer / wharf:7.2f}", flush=True)

    def wharf(self, kind, files):
        """A server with these files, and how long they took until all were listed."""
        server = Wharf(self, kind.NAME)
        server.start()
        uploads = Uploads(server, kind)
        begin = time.perf_counter()
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(uploads.send, files[:-1]))
        uploads.send(files[-1], wait=True)
        return server, uploads, time.perf_counter() - begin

    def nginx(self, name):
        return Nginx(self, name)


def measure(bench, kind, count):
    print(f"\n{count} of {kind.NAME}", flush=True)
    files = kind.make(bench, count + bench.rounds)
    known, more = files[:count], files[count:]
    server, uploads, seconds = bench.wharf(kind, known)
    resident = server.memory("VmHWM")
    one = bench.median(lambda n: uploads.timed(more[n]))
    for named, peer_all, peer_one in kind.peers(bench, known, more):
        bench.row(f"{kind.NAME}: publish {count} from nothing", seconds, peer_all, named)
        bench.row(f"{kind.NAME}: one more, until clients see it", one, peer_one, named)
    print(f"{kind.NAME}: most memory of the server {resident:.0f} MB", flush=True)
    kind.clients(bench, server)
    server.remove()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    root = Path(__file__).resolve().parents[2]
    parser.add_argument("--wharf", default=os.environ.get("WHARF_BIN", root / "target/release/wharf"))
    parser.add_argument("--work", default=None, help="folder for the files, which is emptied again")
    parser.add_argument("--only", choices=sorted(KINDS), action="append")
    parser.add_argument("--deb", type=int, default=60000)
    parser.add_argument("--rpm", type=int, default=20000)
    parser.add_argument("--chart", type=int, default=20000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    options.wharf = Path(options.wharf).resolve()
    bench = Bench(options)
    try:
        for name in options.only or KINDS:
            measure(bench, KINDS[name], getattr(options, name))
    finally:
        stop_all()
        shutil.rmtree(bench.work, ignore_errors=True)


if __name__ == "__main__":
    main()
