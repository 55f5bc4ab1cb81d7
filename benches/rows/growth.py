"""What a pull, a page, a push or a start costs must not depend on how much there is."""

import fill
from measure import Line, median, thousands
from rows.ready import restart
from servers import Wharf

TITLE = "pulls, pages, pushes and start with 10³ to 10⁶ tags, blobs and referrers of one repository"
# Longer than all others together.
ONLY_WHEN_ASKED = True
REPO = "bench/growth"
OCTET, INDEX = "application/json", "application/vnd.oci.image.index.v1+json"


def run(bench):
    sizes = bench.size([1_000, 10_000, 100_000, 1_000_000], [1_000, 2_000])
    found, starts = {}, []
    with bench.fresh(Wharf, label="growth") as wharf:
        wharf.seed("seed-image", REPO, n=8, size=1000)
        before = 0
        for size in sizes:
            wharf.stop()
            with fill.on(wharf, REPO) as rows:
                rows.blobs(before, size)
                rows.manifests(before, size)
                rows.manifests(before, size, subject=rows.latest)
                subject, blob = fill.text(rows.latest), fill.text(fill.sha256(b"blob %d" % (size // 2)))
            before = size
            wharf.start()
            # A thousand of the tags in turn: at the smallest size all of them, and nothing that is read for the first time only.
            runs = {
                "GET manifest": lambda: bench.wrk(wharf, f"/v2/{REPO}/manifests/v", pull(wharf), spread=(size, "", 7)),
                "HEAD blob": lambda: bench.load(wharf, "fire", method="HEAD", path=f"/v2/{REPO}/blobs/{blob}", repo=REPO,
                                                kind="pull", conns=16, time=f"{bench.seconds}s"),
                "tags page of 100": lambda: bench.wrk(wharf, f"/v2/{REPO}/tags/list?n=100&last=v", pull(wharf), OCTET, (size, "", 7)),
                "referrers page of 100": lambda: bench.wrk(
                    wharf, f"/v2/{REPO}/referrers/{subject}?n=100&last=sha256%3A", pull(wharf), INDEX, (size, "0" * 57, 7)),
                "push of 1 MB images": lambda: bench.load(wharf, "push", repo=REPO, conns=8, size=1_000_000, time=f"{bench.seconds}s",
                                                          n=bench.size(100_000, 40)),
            }
            for name, results in bench.paired(runs).items():
                found.setdefault(name, []).append(sorted(results, key=lambda result: result["rate"])[len(results) // 2])
            starts.append([result["ms"] for result in bench.paired({"start": restart(wharf)})["start"]])
    return [line for name, results in found.items() for line in lines(name, sizes, results)] + started(sizes, starts)


def pull(wharf):
    return wharf.authorization(REPO)


def lines(name, sizes, results):
    slowest = results[-1]["rate"] / results[0]["rate"]
    of = f"{slowest:.0%} of that with {thousands(sizes[0])}"
    unit = "images/s" if name.startswith("push") else "req/s"
    made = [Line(f"{name}, {thousands(size)}", unit, result["rate"], note=f"p99 {result['p99_ms']:.2f} ms",
                 samples={"wharf": [result["rate"]], "p99_ms": [result["p99_ms"]]}) for size, result in zip(sizes, results)]
    made[-1].ratio, made[-1].bar, made[-1].met = of, "≥ 80 % of that with 1 000", slowest >= .8
    return made


def started(sizes, starts):
    made = [Line(f"ready after start, {thousands(size)}", "ms", median(times), samples={"wharf": times}) for size, times in zip(sizes, starts)]
    first, last = made[0].wharf, made[-1].wharf
    made[-1].ratio, made[-1].bar = f"{last / first:.2f} × that with {thousands(sizes[0])}", "< 200 ms and as with 1 000"
    # A start takes a few milliseconds: twice as long is within what exec and the first page faults vary.
    made[-1].met = last < 200 and (last < 2 * first or last - first < 20)
    return made
