"""A restart is a gap in service; its length must not depend on what is stored."""

from measure import line, median, thousands
from rows import manifest_get_tags
from servers import Distribution, Wharf

TITLE = "from exec to the first 200 on /readyz (distribution: /v2/), empty and with 100 000 tags"


def run(bench):
    with bench.fresh(Wharf, label="ready") as wharf, bench.fresh(Distribution, label="ready") as distribution:
        results = bench.paired({"wharf": restart(wharf), "distribution": restart(distribution)})
    empty = line("ready after start, empty", "ms", "ms", results, bar="< 200 ms")
    empty.met = empty.wharf < 200
    wharf, count = manifest_get_tags.seeded(bench)
    results = bench.paired({"wharf": restart(wharf)})
    full = line(f"ready after start, {thousands(count)} tags", "ms", "ms", results, bar="< 200 ms and as when empty")
    growth = full.wharf / median(empty.samples["wharf"])
    # A start takes a few milliseconds: twice as long is within what exec and the first page faults vary.
    full.ratio, full.met = f"{growth:.2f} × empty", full.wharf < 200 and (growth < 2 or full.wharf - empty.wharf < 20)
    return [empty, full]


def restart(server):
    def measured():
        server.stop()
        return {"ms": server.start() * 1e3}
    return measured
