"""What clients ask before a pull, to see whether a tag has moved."""

from measure import line, ratios
from servers import Distribution, Nginx, Wharf

TITLE = "HEAD manifest by tag, 16 connections"
REPO = "bench/app"
LATEST = f"/v2/{REPO}/manifests/latest"


def run(bench):
    runs = {}
    for key, kind in (("wharf", Wharf), ("distribution", Distribution)):
        server = bench.server(kind)
        server.seed("seed-image", REPO, n=8, size=1000)
        runs[key] = head(bench, server, LATEST)
    nginx = bench.server(Nginx)
    nginx.place("manifest", bytes(1500))
    runs["limit"] = head(bench, nginx, "/manifest")
    results = bench.paired(runs)
    rate = line("HEAD manifest by tag", "req/s", "rate", results, bar="≥ 5 × distribution")
    ratio = ratios(rate.samples["wharf"], rate.samples["distribution"])
    rate.ratio, rate.met = f"{ratio:.2f} ×", ratio >= 5
    return [rate, line("HEAD manifest by tag, p99", "ms", "p99_ms", results)]


def head(bench, server, path):
    return lambda: bench.load(server, "fire", method="HEAD", path=path, repo=REPO, conns=16, time=f"{bench.seconds}s")
