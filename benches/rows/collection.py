"""What nothing uses goes while images are pushed, and they must not notice."""

import hashlib
import http.client
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from measure import Line, median, thousands, worked
from servers import Wharf

TITLE = "100 000 blobs that no manifest names, collected while images are pushed; push p99 with and without"

SIZE = 20_000  # more than a row holds, so that each has an object
CLIENTS = 32  # their syncs are shared
ALONE = 5  # runs before, and as many after
MINUTE = 60  # seconds that the collection may take
AGE = 62  # seconds; a link must be a minute old before it is looked at
AT_ONCE = {"WHARF_RETENTION_UNREFERENCED": "1s", "WHARF_COLLECTION_GRACE": "0s", "WHARF_COLLECTION_WAIT": "0s"}


def run(bench):
    """Once beside pushes as fast as they go, which leave the collector no processor time but what it takes from them, and once
    beside half as many a second."""
    count = bench.size(100_000, 500)
    seconds, alone, meanwhile = collect(bench, count)
    half = middle(alone, "rate") / 2
    _, calm, disturbed = collect(bench, bench.size(50_000, 500), half)
    floors = [beside_bare(bench, count, rate) for rate in (0, half)]
    return [Line(f"collection of {thousands(count)} blobs", "s", seconds, bar=f"< {MINUTE} s", met=seconds < MINUTE),
            slower("push p99 meanwhile, as fast as they go", alone, meanwhile, bench, floors[0]),
            slower("push p99 meanwhile, at half that rate", calm, disturbed, bench, floors[1])]


def collect(bench, count, rate=0):
    """How long it takes beside pushes, and their runs without it and meanwhile. Those without are half of them from after it: a disk is
    slower for some minutes when much was written to it."""
    with bench.fresh(Collecting, label="collection") as wharf:
        seed(wharf, count)
        seeded = time.monotonic()
        bench.quiet()
        alone = [push(bench, wharf, rate) for _ in range(bench.size(ALONE, 1))]
        wharf.stop()
        time.sleep(max(0, AGE - (time.monotonic() - seeded)))
        wharf.settings = AT_ONCE
        wharf.start()
        begin, meanwhile, stop = time.monotonic(), [], threading.Event()
        with ThreadPoolExecutor(1) as watcher:
            gone = watcher.submit(until_collected, wharf, count, stop)
            try:
                while not gone.done():
                    meanwhile.append(push(bench, wharf, rate))
            finally:
                stop.set()
            seconds = gone.result() - begin
        wharf.stop()
        wharf.settings = {}
        wharf.start()
        alone += [push(bench, wharf, rate) for _ in range(bench.size(ALONE, 1))]
        return seconds, alone, meanwhile


def beside_bare(bench, count, rate):
    """What pushes notice of a program on the server's core that only deletes as many rows and files in a minute: their runs without
    it and meanwhile, and the microseconds of processor time that one costs."""
    folder = bench.work / "bare"
    command = [sys.executable, Path(__file__).parent.parent / "bare.py"]
    with bench.fresh(Collecting, label="bare") as wharf:
        bench.run(command + ["fill", folder, count], 600)
        bench.quiet()
        alone = [push(bench, wharf, rate) for _ in range(bench.size(ALONE, 1))]
        drop = ["taskset", "-c", bench.server_cpu] + command + ["drop", folder, count, max(1, count // MINUTE)]
        process, meanwhile = subprocess.Popen([str(part) for part in drop], stdout=subprocess.PIPE, text=True), []
        try:
            while process.poll() is None:
                meanwhile.append(push(bench, wharf, rate))
        finally:
            process.kill()
        spent = float(process.communicate()[0])
        alone += [push(bench, wharf, rate) for _ in range(bench.size(ALONE, 1))]
    shutil.rmtree(folder)
    return alone, meanwhile, spent


def slower(name, alone, meanwhile, bench, floor):
    """One run of a few seconds differs from the next by more than the bar, so the middle one stands for all, on both sides."""
    p99 = middle(meanwhile, "p99_ms")
    growth = p99 / middle(alone, "p99_ms") - 1
    told = [f"{middle(loads, 'rate'):.0f} images/s, p50 {middle(loads, 'p50_ms'):.1f} ms, p99 {middle(loads, 'p99_ms'):.1f} ms (the worst"
            f" run {max(load['p99_ms'] for load in loads):.1f} ms), the server's core {middle(loads, 'busy'):.0%} busy"
            for loads in (alone, meanwhile)]
    without, bare, spent = floor
    least = (f"A program that only deletes as many rows and files in a minute takes {spent:.0f} µs of that core for each, and p99 beside"
             f" it is {middle(bare, 'p99_ms'):.1f} ms, {middle(bare, 'p99_ms') / middle(without, 'p99_ms') - 1:+.0%}")
    return Line(name, "ms", p99, bar="up by < 20 %", met=growth < .2, ratio=f"{growth:+.0%}",
                note=f"medians of {len(alone)} and of {len(meanwhile)} runs of {bench.seconds} s. Alone {told[0]}; with the collection {told[1]}. {least}")


def middle(loads, key):
    return median([load[key] for load in loads])


class Collecting(Wharf):
    settings = {}

    def environment(self):
        return super().environment() | {"WHARF_METRICS_PUBLIC": "true"} | self.settings


def push(bench, server, rate):
    """Pushes for a while, so many a second or as fast as they go, and says how busy the server's core was."""
    before, begin = worked(server), time.monotonic()
    load = bench.load(server, "push", repo="bench/push", conns=8, size=1_000_000, time=f"{bench.seconds}s",
                      n=bench.size(100_000, 40), rate=rate)
    return load | {"busy": (worked(server) - before) / (time.monotonic() - begin)}


def seed(server, count):
    """Blobs without a manifest, each in one request."""
    base, authorization = os.urandom(SIZE - 8), server.basic()

    def some(first):
        connection = http.client.HTTPConnection(server.addr, timeout=60)
        for number in range(first, count, CLIENTS):
            content = base + number.to_bytes(8, "big")
            digest = hashlib.sha256(content).hexdigest()
            connection.request("POST", f"/v2/bench/gone/blobs/uploads/?digest=sha256:{digest}", content,
                               {"Authorization": authorization, "Content-Type": "application/octet-stream"})
            answer = connection.getresponse()
            answer.read()
            if answer.status != 201:
                raise RuntimeError(f"a blob was answered {answer.status}")
        connection.close()

    with ThreadPoolExecutor(CLIENTS) as clients:
        list(clients.map(some, range(CLIENTS)))


def until_collected(server, count, stop):
    """When all are gone."""
    begin = time.monotonic()
    while (so_far := collected(server)) < count:
        if time.monotonic() - begin > 600 or stop.wait(.5):
            raise RuntimeError(f"{so_far} of {count} blobs are gone after {time.monotonic() - begin:.0f} s")
    return time.monotonic()


def collected(server):
    found = re.search(r"^wharf_collection_objects_total (\d+)", server.get("/metrics").decode(), re.M)
    return int(found[1]) if found else 0
