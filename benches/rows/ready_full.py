"""A restart with everything a company has pushed in years."""

import fill
from measure import line, median, thousands
from rows.ready import restart
from servers import Wharf

TITLE = "from exec to the first 200 on /readyz with 1 000 000 blobs and 100 000 manifests, beside an empty server"
REPO = "bench/ready"


def run(bench):
    blobs, manifests = bench.size((1_000_000, 100_000), (10_000, 1_000))
    with bench.fresh(Wharf, label="ready-empty") as empty, bench.fresh(Wharf, label="ready-full") as full:
        for server in (empty, full):
            server.seed("seed-image", REPO, n=8, size=1000)
            server.stop()
        with fill.on(full, REPO) as rows:
            rows.blobs(0, blobs)
            rows.manifests(0, manifests)
        results = bench.paired({"wharf": restart(full), "empty": restart(empty)})
    ready = line(f"ready with {thousands(blobs)} blobs, {thousands(manifests)} manifests", "ms", "ms", results,
                 bar="< 200 ms and as when empty")
    without = median(ready.samples["empty"])
    ready.ratio = f"{ready.wharf / without:.2f} × empty"
    # A start takes a few milliseconds: twice as long is within what exec and the first page faults vary.
    ready.met = ready.wharf < 200 and (ready.wharf < 2 * without or ready.wharf - without < 20)
    return [ready]
