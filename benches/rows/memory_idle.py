"""A registry on a small machine waits most of the day."""

import time

from measure import line
from servers import Distribution, Wharf

TITLE = "VmRSS at rest, after a few pushes and pulls"
REPO = "bench/app"
REST = 15


def run(bench):
    results = bench.paired({kind.name: rest(bench, kind) for kind in (Wharf, Distribution)})
    memory = line("memory, idle", "MB", "mb", results, bar="< 40 MB")
    memory.met = memory.wharf < 40
    return [memory]


def rest(bench, kind):
    def measured():
        with bench.fresh(kind, label="idle") as server:
            server.seed("seed-image", REPO, n=8, size=1000)
            bench.load(server, "push", repo=REPO, conns=2, n=10)
            for _ in range(10):
                server.get(f"/v2/{REPO}/manifests/latest", server.authorization(REPO))
            # What was only for the last request is given back after some seconds, by either server.
            time.sleep(1 if bench.quick else REST)
            return {"mb": settled(server)}
    return measured


def settled(server):
    """The resident size once it has moved by less than 1 % for two seconds (twenty at most)."""
    seen, end = [], time.monotonic() + 20
    while time.monotonic() < end:
        seen.append(server.memory("VmRSS"))
        if len(seen) >= 10 and max(seen[-10:]) < 1.01 * min(seen[-10:]):
            break
        time.sleep(.2)
    return seen[-1]
