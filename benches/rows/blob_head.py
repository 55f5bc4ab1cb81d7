"""What every push asks for each layer first."""

from measure import line, ratios
from servers import Distribution, Nginx, Wharf

TITLE = "HEAD blob, 16 connections"
REPO = "bench/app"


def run(bench):
    runs = {}
    for key, kind in (("wharf", Wharf), ("distribution", Distribution)):
        server = bench.server(kind)
        digest = server.seed("seed-image", REPO, n=8, size=1000)["layers"][0]
        runs[key] = head(bench, server, f"/v2/{REPO}/blobs/{digest}")
    nginx = bench.server(Nginx)
    nginx.place("blob", bytes(1000))
    runs["limit"] = head(bench, nginx, "/blob")
    results = bench.paired(runs)
    rate = line("HEAD blob", "req/s", "rate", results, bar="≥ 4 × distribution")
    ratio = ratios(rate.samples["wharf"], rate.samples["distribution"])
    rate.ratio, rate.met = f"{ratio:.2f} ×", ratio >= 4
    return [rate, line("HEAD blob, p99", "ms", "p99_ms", results)]


def head(bench, server, path):
    return lambda: bench.load(server, "fire", method="HEAD", path=path, repo=REPO, conns=16, time=f"{bench.seconds}s")
