"""What nothing uses goes while images are pushed, and they must not notice."""

import hashlib
import http.client
import os
import re
import time
from concurrent.futures import ThreadPoolExecutor

from measure import Line, median, thousands, worked
from servers import Wharf

TITLE = "100 000 blobs that no manifest names, collected while images are pushed; push p99 with and without"

SIZE = 20_000  # more than a row holds, so that each has an object
CLIENTS = 32  # their syncs are shared
ALONE = 5  # runs before
AGE = 62  # seconds; a link must be a minute old before it is looked at
AT_ONCE = {"WHARF_RETENTION_UNREFERENCED": "1s", "WHARF_COLLECTION_GRACE": "0s", "WHARF_COLLECTION_WAIT": "0s"}


def run(bench):
    count = bench.size(100_000, 500)
    with bench.fresh(Collecting, label="collection") as wharf:
        seed(wharf, count)
        seeded = time.monotonic()
        bench.quiet()
        before = [push(bench, wharf) for _ in range(bench.size(ALONE, 1))]
        wharf.stop()
        time.sleep(max(0, AGE - (time.monotonic() - seeded)))
        wharf.settings = AT_ONCE
        wharf.start()
        begin, loads = time.monotonic(), []
        with ThreadPoolExecutor(1) as watcher:
            gone = watcher.submit(until_collected, wharf, count)
            while not gone.done():
                loads.append(push(bench, wharf))
            seconds = gone.result() - begin
    # One run of a few seconds differs from the next by more than the bar, so the middle one stands for all, on both sides.
    alone, meanwhile, worst = middle(before, "p99_ms"), middle(loads, "p99_ms"), max(load["p99_ms"] for load in loads)
    growth = meanwhile / alone - 1
    gone = Line(f"collection of {thousands(count)} blobs", "s", seconds, bar="< 60 s", met=seconds < 60)
    slower = Line("push p99 meanwhile", "ms", meanwhile, bar="up by < 20 %", met=growth < .2, ratio=f"{growth:+.0%}",
                  note=f"alone {alone:.1f} ms; medians of {ALONE} and of {len(loads)} runs of {bench.seconds} s, the worst {worst:.1f} ms;"
                       f" alone the pushes keep the server's core {middle(before, 'busy'):.0%} busy ({middle(before, 'rate'):.0f} images/s), with the"
                       f" collection it is {middle(loads, 'busy'):.0%} ({middle(loads, 'rate'):.0f})")
    return [gone, slower]


def middle(loads, key):
    return median([load[key] for load in loads])


class Collecting(Wharf):
    settings = {}

    def environment(self):
        return super().environment() | {"WHARF_METRICS_PUBLIC": "true"} | self.settings


def push(bench, server):
    """Pushes for a while, and says how busy the server's core was."""
    before, begin = worked(server), time.monotonic()
    load = bench.load(server, "push", repo="bench/push", conns=8, size=1_000_000, time=f"{bench.seconds}s",
                      n=bench.size(100_000, 40))
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


def until_collected(server, count):
    """When all are gone."""
    begin = time.monotonic()
    while (so_far := collected(server)) < count:
        if time.monotonic() - begin > 600:
            raise RuntimeError(f"{so_far} of {count} blobs are gone after ten minutes")
        time.sleep(.5)
    return time.monotonic()


def collected(server):
    found = re.search(r"^wharf_collection_objects_total (\d+)", server.get("/metrics").decode(), re.M)
    return int(found[1]) if found else 0
