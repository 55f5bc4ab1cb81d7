"""Listing by key: a page in the middle costs what the first one costs."""

from measure import line, thousands
from rows import manifest_get_tags
from servers import Distribution

TITLE = "tags/list?n=100 anywhere among 100 000 tags, 16 connections"


def run(bench):
    wharf, count = manifest_get_tags.seeded(bench)
    repo = manifest_get_tags.REPO
    distribution, fewer = bench.server(Distribution), bench.size(5_000, 50)
    distribution.seed("seed-tags", repo, n=fewer, per=1, conns=8)
    prefix = f"/v2/{repo}/tags/list?n=100&last=v"
    results = bench.paired({
        "wharf": lambda: bench.wrk(wharf, prefix, wharf.authorization(repo), "application/json", (count,)),
        "distribution": lambda: bench.wrk(distribution, prefix, accept="application/json", spread=(fewer,)),
    })
    name = f"tags page of 100 of {thousands(count)}"
    p99 = line(f"{name}, p99", "ms", "p99_ms", results, bar="< 5 ms",
               note=f"distribution has {fewer} tags")
    p99.met = p99.wharf < 5
    return [line(name, "req/s", "rate", results), p99]
